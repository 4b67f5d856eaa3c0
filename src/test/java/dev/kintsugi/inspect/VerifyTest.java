package dev.kintsugi.inspect;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.inspect.FileVerdict.Verdict;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.work.Job;
import dev.kintsugi.zip.ZipArchive;
import dev.kintsugi.zip.ZipRecord;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.function.IntUnaryOperator;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VerifyTest {
    private static final String RANK = "fsdp/fsdp2_4/ckpt/model_world_size_4_rank_1.pt";

    @TempDir
    Path scratch;

    private FileVerdict verdict(byte[] bytes, String name) throws IOException {
        Path file = Files.write(scratch.resolve(name), bytes);
        return Verify.of(List.of(file), new Job(2)).files().getFirst();
    }

    private static byte[] rank() throws IOException {
        return Files.readAllBytes(Golden.resource(RANK));
    }

    private static ZipRecord largestRecord() {
        try (MappedFile file = MappedFile.open(Golden.resource(RANK))) {
            return ZipArchive.open("t", file).records().values().stream()
                    .filter(r -> r.name().contains("/data/"))
                    .max(Comparator.comparingLong(ZipRecord::byteCount))
                    .orElseThrow();
        }
    }

    /// Rewrites the CRC-32 of every entry of the zip directory.
    private static byte[] withChecksums(byte[] archive, IntUnaryOperator change) {
        ByteBuffer zip = ByteBuffer.wrap(archive.clone()).order(ByteOrder.LITTLE_ENDIAN);
        int at = zip.getInt(archive.length - 22 + 16);
        while (zip.getInt(at) == 0x02014b50) {
            zip.putInt(at + 16, change.applyAsInt(zip.getInt(at + 16)));
            at += 46 + zip.getShort(at + 28) + zip.getShort(at + 30) + zip.getShort(at + 32);
        }
        return zip.array();
    }

    @Test
    void everyFileOfEveryRealCheckpointIsSoundOrSkipped() {
        Verify verify = Verify.of(List.of(Golden.resource("fsdp")), Job.quiet());
        assertTrue(verify.passed());
        for (FileVerdict file : verify.files()) {
            String name = file.path().getFileName().toString();
            boolean checked = name.endsWith(".pt") || (name.endsWith(".distcp") && file.records() > 0);
            assertEquals(checked ? Verdict.SOUND : Verdict.SKIPPED, file.verdict(), file.toString());
        }
        assertTrue(verify.files().stream()
                .anyMatch(f -> f.path().toString().endsWith(".distcp") && f.verdict() == Verdict.SOUND));
        assertEquals(verify, Verify.of(List.of(Golden.resource("fsdp")), new Job(4)));
    }

    @DisplayName("Z-05 verify names the record and the tensors of one flipped bit")
    @Test
    void oneFlippedBitNamesTheRecordAndItsTensors() throws IOException {
        ZipRecord record = largestRecord();
        byte[] bytes = rank();
        bytes[(int) (record.dataOffset() + record.byteCount() / 2)] ^= 4;
        FileVerdict verdict = verdict(bytes, "model_world_size_4_rank_1.pt");
        assertEquals(Verdict.DAMAGED, verdict.verdict());
        assertEquals(1, verdict.findings().size());
        FileVerdict.Finding finding = verdict.findings().getFirst();
        assertEquals(Code.K2105, finding.code());
        assertTrue(finding.what().startsWith("model_world_size_4_rank_1.pt: record " + record.name()), finding.what());
        assertTrue(finding.what().contains(String.format("%08x", record.crc32())));
        assertEquals(1, finding.tensors().size());
        assertTrue(finding.tensors().getFirst().startsWith("model."), finding.toString());
    }

    @DisplayName("Z-06 checksums that are all wrong or all zero were not recorded")
    @Test
    void checksumsThatAreAllWrongOrAllZeroWereNotRecorded() throws IOException {
        FileVerdict zero = verdict(withChecksums(rank(), _ -> 0), "a.pt");
        assertEquals(Verdict.NOT_RECORDED, zero.verdict());
        assertEquals(zero.records(), zero.unrecorded());
        FileVerdict wrong = verdict(withChecksums(rank(), crc -> crc == 0 ? 0 : crc ^ 0x55), "b.pt");
        assertEquals(Verdict.NOT_RECORDED, wrong.verdict());
        assertTrue(wrong.note().contains("no checksum"));
        assertTrue(wrong.findings().isEmpty());
    }

    @Test
    void severalWrongChecksumsAmongRightOnesAreDamage() throws IOException {
        int[] seen = {0};
        FileVerdict verdict = verdict(withChecksums(rank(), crc -> seen[0]++ < 3 ? crc ^ 1 : crc), "a.pt");
        assertEquals(Verdict.DAMAGED, verdict.verdict());
        assertEquals(3, verdict.findings().size());
    }

    @Test
    void aFileCutShortIsDamagedAndTheOthersAreStillChecked() throws IOException {
        Files.write(scratch.resolve("a.pt"), Arrays.copyOf(rank(), rank().length - 1000));
        Files.write(scratch.resolve("b.pt"), rank());
        Files.write(scratch.resolve("c.pt"), new byte[0]);
        Files.writeString(scratch.resolve("d.bin"), "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
        Files.writeString(scratch.resolve("e.json"), "{}");
        Verify verify = Verify.of(List.of(scratch), Job.quiet());
        assertFalse(verify.passed());
        assertEquals(
                List.of(Verdict.DAMAGED, Verdict.SOUND, Verdict.DAMAGED, Verdict.DAMAGED, Verdict.SKIPPED),
                verify.files().stream().map(FileVerdict::verdict).toList());
        assertEquals(Code.K2101, verify.files().getFirst().findings().getFirst().code());
        assertEquals(Code.K2003, verify.files().get(3).findings().getFirst().code());
    }

    @Test
    void aTensorWhoseStorageIsMissingIsFound() throws IOException {
        // Storage 0 is renamed, in its local header and in the directory.
        byte[] bytes = rank();
        byte[] old = "/data/0".getBytes(StandardCharsets.US_ASCII);
        for (int i = 0; i + old.length <= bytes.length; i++) {
            boolean here = Arrays.equals(Arrays.copyOfRange(bytes, i, i + old.length), old);
            if (here && !Character.isDigit(bytes[i + old.length])) {
                bytes[i + old.length - 1] = 'x';
            }
        }
        FileVerdict verdict = verdict(bytes, "a.pt");
        assertEquals(Verdict.DAMAGED, verdict.verdict());
        assertEquals(Code.K2102, verdict.findings().getFirst().code());
    }

    @Test
    void deflatedRecordsAreInflatedBlockByBlock() throws IOException {
        Path file = scratch.resolve("plain.zip");
        byte[] content = new byte[3_000_000];
        for (int i = 0; i < content.length; i++) {
            content[i] = (byte) ((i * i) >> 9);
        }
        try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(file))) {
            for (String name : List.of("one", "two", "empty")) {
                zip.putNextEntry(new ZipEntry(name));
                zip.write(content, 0, name.equals("empty") ? 0 : content.length);
                zip.closeEntry();
            }
        }
        Job job = new Job(1);
        FileVerdict sound = Verify.of(List.of(file), job).files().getFirst();
        assertEquals(Verdict.SOUND, sound.verdict());
        assertEquals(3, sound.records());
        assertEquals(job.expectedBytes(), job.doneBytes());
        byte[] bytes = Files.readAllBytes(file);
        bytes[2000] ^= 0x10;
        assertEquals(Verdict.DAMAGED, verdict(bytes, "broken.zip").verdict());
    }

    @Test
    void aChunkOfADcpCheckpointThatWasCutOffIsFound() throws IOException {
        Path source = Golden.resource("fsdp/dcp_4/ckpt/default");
        Files.copy(source.resolve(".metadata"), scratch.resolve(".metadata"));
        byte[] chunks = Files.readAllBytes(source.resolve("__0_0.distcp"));
        FileVerdict cut = verdict(Arrays.copyOf(chunks, chunks.length - 10_000), "__0_0.distcp");
        assertEquals(Verdict.DAMAGED, cut.verdict());
        assertTrue(cut.findings().getFirst().what().startsWith("__0_0.distcp at byte "), cut.toString());
        assertTrue(cut.records() > 0);
        Files.delete(scratch.resolve(".metadata"));
        FileVerdict alone = verdict(chunks, "__0_0.distcp");
        assertEquals(Verdict.SKIPPED, alone.verdict());
        assertTrue(alone.note().contains(".metadata"));
    }

    @Test
    void aPathThatIsNotThereIsRefused() {
        Fault fault = assertThrows(Fault.class, () -> Verify.of(List.of(scratch.resolve("no")), Job.quiet()));
        assertEquals(Code.K1010, fault.code());
    }
}
