package dev.kintsugi.checkpoint.open;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.PickleBytes;
import dev.kintsugi.ZipBytes;
import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import dev.kintsugi.io.ByteSource;
import dev.kintsugi.work.Job;
import dev.kintsugi.zip.ZipArchive;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/// A call that Python would make is told, and refused with `--strict`, whatever the format; what frameworks save is
/// none.
class OpaqueCallsTest {
    @TempDir
    Path scratch;

    /// Every directory of a checkpoint that a framework wrote.
    static Stream<Path> saved() throws IOException {
        try (Stream<Path> files = Stream.of("fsdp", "deepspeed", "megatron", "colossalai")
                .map(Golden::resource)
                .flatMap(OpaqueCallsTest::walk)) {
            List<Path> directories = files.filter(f -> f.toString().endsWith(".pt")
                            || f.toString().endsWith(".bin")
                            || f.getFileName().toString().equals(".metadata"))
                    .map(Path::getParent)
                    .distinct()
                    .toList();
            assertTrue(directories.size() > 60, directories.size() + " directories");
            return directories.stream();
        }
    }

    private static Stream<Path> walk(Path directory) {
        try {
            return Files.walk(directory);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static List<String> opaque(Checkpoint checkpoint) {
        try (checkpoint) {
            return checkpoint.notes().stream()
                    .map(Note::text)
                    .filter(t -> t.startsWith("opaque call"))
                    .toList();
        }
    }

    @DisplayName("P-01 nothing that a framework saves counts as an opaque call")
    @ParameterizedTest
    @MethodSource("saved")
    void whatFrameworksSaveIsNoOpaqueCall(Path directory) {
        Checkpoint opened;
        try {
            opened = Checkpoints.open(List.of(directory), OpenOptions.defaults(), Job.quiet());
        } catch (Fault fault) {
            List<Code> otherReasons =
                    List.of(Code.K2001, Code.K2002, Code.K2102, Code.K3001, Code.K4001, Code.K4012, Code.K1003);
            assertTrue(otherReasons.contains(fault.code()), fault.code() + " " + fault.what());
            return;
        }
        assertEquals(List.of(), opaque(opened));
    }

    @DisplayName("P-01 a call of a command is told and refused with --strict in each format")
    @ParameterizedTest
    @CsvSource({
        "fsdp/fsdp2_4/ckpt, model_world_size_4_rank_2.pt",
        "fsdp/dcp_4/ckpt/default, .metadata",
        "deepspeed/zero2_bf16_w2/input, global_step2/mp_rank_00_model_states.pt",
        "deepspeed/zero2_bf16_w2/input, global_step2/bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt",
        "megatron/legacy20_qwen2_tp2_pp2/input/iter_0000010, mp_rank_01_000/model_optim_rng.pt",
        "megatron/train_qwen2_padded_tp2_pp2/input, iter_0000010/common.pt",
        "megatron/verl_qwen2_tp2_pp2/input, dist_ckpt/.metadata"
    })
    void aCallIsToldInEachFormat(String resource, String file) throws IOException {
        copy(Golden.resource(resource));
        OpenOptions options = OpenOptions.defaults();
        assertEquals(List.of(), opaque(Checkpoints.open(List.of(scratch), options, Job.quiet())));
        Path changed = scratch.resolve(file);
        Files.write(changed, withCall(Files.readAllBytes(changed)));
        List<String> told = opaque(Checkpoints.open(List.of(scratch), options, Job.quiet()));
        assertEquals(1, told.size());
        assertTrue(
                told.getFirst().startsWith("opaque call posix.system(\"id\"): torch writes no such"), told.toString());
        Fault fault =
                assertThrows(Fault.class, () -> Checkpoints.open(List.of(scratch), options.strict(true), Job.quiet()));
        assertEquals(Code.K2004, fault.code());
        assertTrue(fault.what().startsWith("opaque call posix.system(\"id\")"), fault.what());
    }

    private void copy(Path from) throws IOException {
        try (Stream<Path> files = Files.walk(from)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path to = scratch.resolve(from.relativize(file).toString());
                Files.createDirectories(to.getParent());
                Files.copy(file, to);
            }
        }
    }

    /// A pickle, or a file of `torch.save` with one, in which a call is made before `STOP` and its result thrown away.
    private static byte[] withCall(byte[] file) {
        ByteSource source = ByteSource.of(MemorySegment.ofArray(file));
        if (!ZipArchive.looksLikeZip(source)) {
            byte[] call =
                    PickleBytes.start().call("posix", "system", "id").op('0').stop();
            return ByteBuffer.allocate(file.length - 1 + call.length)
                    .put(file, 0, file.length - 1)
                    .put(call)
                    .array();
        }
        ZipArchive archive = ZipArchive.open("f", source);
        ZipBytes zip = new ZipBytes();
        archive.records().forEach((name, record) -> {
            byte[] bytes = archive.open(record).bytes(0, (int) record.byteCount());
            zip.add(ZipBytes.stored(
                    name, name.endsWith("/data.pkl") ? withCall(bytes) : Arrays.copyOf(bytes, bytes.length)));
        });
        return zip.end();
    }
}
