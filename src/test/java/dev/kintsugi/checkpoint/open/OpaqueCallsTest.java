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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// A call that Python would make is told, and refused with `--strict`, whatever the format; what frameworks save is
/// none.
class OpaqueCallsTest {
    /// How many of the bundled checkpoints open by themselves; more may come.
    private static final int OPENED = 61;

    @TempDir
    Path scratch;

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

    /// Every directory with a file that a framework wrote; of some of them no more than a part of a checkpoint is
    /// there.
    private static List<Path> saved() {
        return Stream.of("fsdp", "deepspeed", "megatron", "colossalai")
                .map(Golden::resource)
                .flatMap(OpaqueCallsTest::walk)
                .filter(f -> f.toString().endsWith(".pt")
                        || f.toString().endsWith(".bin")
                        || String.valueOf(f.getFileName()).equals(".metadata"))
                .map(Path::getParent)
                .distinct()
                .toList();
    }

    @DisplayName("P-01 nothing that a framework saves counts as an opaque call")
    @Test
    void whatFrameworksSaveIsNoOpaqueCall() {
        int opened = 0;
        for (Path directory : saved()) {
            try {
                Checkpoint checkpoint = Checkpoints.open(List.of(directory), OpenOptions.defaults(), Job.quiet());
                assertEquals(List.of(), opaque(checkpoint), directory.toString());
                opened++;
            } catch (Fault fault) {
                List<Code> ofParts =
                        List.of(Code.K1003, Code.K2001, Code.K2002, Code.K2102, Code.K3001, Code.K4001, Code.K4012);
                assertTrue(ofParts.contains(fault.code()), directory + ": " + fault.code() + " " + fault.what());
            }
        }
        assertTrue(opened >= OPENED, opened + " opened");
    }

    @Test
    void whatAFailedOpeningHeardIsOfOtherFiles() throws IOException {
        Job job = Job.quiet();
        Path bad = scratch.resolve("bad/pytorch_model.bin");
        Files.createDirectories(bad.getParent());
        PickleBytes evil = PickleBytes.proto2().op('}').text("evil").call("posix", "system", "id");
        Files.write(
                bad,
                ZipBytes.torch(evil.op('s').text("w").vector("9", 4).op('s').stop()));
        Fault fault = assertThrows(Fault.class, () -> Checkpoints.open(List.of(bad), OpenOptions.defaults(), job));
        assertEquals(Code.K2102, fault.code());
        Path good = Golden.resource("fsdp/fsdp2_4/ckpt");
        assertEquals(List.of(), opaque(Checkpoints.open(List.of(good), OpenOptions.defaults(), job)));
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
