package dev.kintsugi.fault;

import java.util.Arrays;
import java.util.Optional;

/// The stable codes of everything that can go wrong. A code is never reused and never changes its status.
///
/// `K1` is what was typed, `K2` bytes of files, `K3` how pieces fit together, `K4` what is refused, `K5` the
/// machine, `K6` models that are not as expected, `K7` fusion, `K9` ourselves.
public enum Code {
    // What was typed
    K1001(Status.USAGE, "unknown command"),
    K1002(Status.USAGE, "unknown option"),
    K1003(Status.USAGE, "a value is missing or does not fit its option"),
    K1004(Status.USAGE, "unknown model"),
    K1005(Status.USAGE, "no tensor matches"),
    K1006(Status.USAGE, "the line cannot be parsed"),
    K1007(Status.USAGE, "a recipe parameter is missing or unknown"),
    K1008(Status.USAGE, "the selector cannot be parsed"),
    K1009(Status.USAGE, "the name is taken"),
    K1010(Status.USAGE, "no such path"),
    K1011(Status.USAGE, "unknown error code"),
    // Bytes of files
    K2001(Status.CORRUPT, "not a checkpoint"),
    K2002(Status.CORRUPT, "several checkpoints in one directory"),
    K2003(Status.CORRUPT, "not the file its name says: a Git LFS pointer, a web page, an empty file"),
    K2004(Status.CORRUPT, "a break of a file format, refused by --strict"),
    K2101(Status.CORRUPT, "damaged zip archive"),
    K2102(Status.CORRUPT, "a record is missing in the archive"),
    K2103(Status.CORRUPT, "a storage is shorter than its tensor"),
    K2104(Status.CORRUPT, "unsupported zip feature"),
    K2105(Status.CORRUPT, "a CRC-32 does not match"),
    K2201(Status.CORRUPT, "damaged pickle"),
    K2202(Status.CORRUPT, "a pickle beyond the limits"),
    K2203(Status.CORRUPT, "a pickle opcode that is not accepted"),
    K2204(Status.CORRUPT, "a value is not what torch writes there"),
    K2205(Status.CORRUPT, "unsupported dtype"),
    K2301(Status.CORRUPT, "damaged safetensors file"),
    K2302(Status.CORRUPT, "truncated safetensors file"),
    K2303(Status.CORRUPT, "the safetensors header is beyond the limits"),
    K2304(Status.CORRUPT, "damaged index"),
    K2305(Status.CORRUPT, "damaged JSON"),
    K2401(Status.CORRUPT, "a file changed while it was read"),
    K2402(Status.CORRUPT, "a file was cut short while it was read"),
    // How pieces fit together
    K3001(Status.CORRUPT, "ranks are missing"),
    K3002(Status.CORRUPT, "ranks of different runs"),
    K3003(Status.CORRUPT, "ranks disagree about a tensor"),
    K3004(Status.CORRUPT, "a local tensor does not fit its place"),
    K3005(Status.CORRUPT, "a gap or an overlap in a tensor"),
    K3006(Status.CORRUPT, "world sizes disagree"),
    K3007(Status.REFUSED, "the mesh given does not fit"),
    K3008(Status.CORRUPT, "replicas differ"),
    K3101(Status.CORRUPT, "damaged layout of a Megatron checkpoint"),
    K3102(Status.CORRUPT, "damaged layout of a DeepSpeed checkpoint"),
    // What is refused
    K4001(Status.REFUSED, "a Partial placement"),
    K4002(Status.REFUSED, "an unknown placement"),
    K4003(Status.REFUSED, "the target exists"),
    K4004(Status.REFUSED, "the output would not load"),
    K4005(Status.REFUSED, "source tensors left over"),
    K4006(Status.REFUSED, "the adapter's alpha is not known"),
    K4007(Status.REFUSED, "values would overflow in the target dtype"),
    K4008(Status.REFUSED, "the target lies inside a source"),
    K4009(Status.REFUSED, "another export writes to the target"),
    K4010(Status.REFUSED, "sidecar files are missing"),
    K4011(Status.REFUSED, "tensor names are not mapped"),
    K4012(Status.REFUSED, "a format that is not read"),
    K4013(Status.REFUSED, "two tensors claim one name"),
    K4014(Status.REFUSED, "quantised weights"),
    K4015(Status.REFUSED, "a sidecar file that is not safe to copy"),
    // The machine
    K5001(Status.IO, "not enough disk space"),
    K5002(Status.IO, "cannot write"),
    K5003(Status.IO, "cannot read"),
    K5004(Status.IO, "the output was not what was written"),
    K5005(Status.IO, "not enough memory"),
    // Models that are not as expected
    K6001(Status.DIFFERENT, "validation failed"),
    K6002(Status.DIFFERENT, "models differ"),
    K6003(Status.DIFFERENT, "an assertion does not hold"),
    // Fusion
    K7001(Status.USAGE, "unknown method"),
    K7002(Status.USAGE, "a method option does not fit"),
    K7003(Status.REFUSED, "models do not match"),
    K7004(Status.REFUSED, "the fusion gives values that are not finite"),
    K7005(Status.REFUSED, "the fusion is not defined for these tensors"),
    K7006(Status.USAGE, "a merge configuration cannot be read"),
    K7007(Status.REFUSED, "a fusion is made of the model"),
    // Ourselves
    K9001(Status.BUG, "a bug of ours"),
    K9002(Status.INTERRUPTED, "interrupted");

    private final Status status;
    private final String title;

    Code(Status status, String title) {
        this.status = status;
        this.title = title;
    }

    public Status status() {
        return status;
    }

    /// What the code means, in a few words.
    public String title() {
        return title;
    }

    /// The code spelled `text`, in either case.
    public static Optional<Code> parse(String text) {
        return Arrays.stream(values())
                .filter(c -> c.name().equalsIgnoreCase(text))
                .findFirst();
    }
}
