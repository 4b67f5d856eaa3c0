package dev.kintsugi.inspect;

import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.dcp.DcpMetadata;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.inspect.FileVerdict.Finding;
import dev.kintsugi.inspect.FileVerdict.Verdict;
import dev.kintsugi.io.ByteSource;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.torch.DTensor;
import dev.kintsugi.torch.ShardedTensor;
import dev.kintsugi.torch.TorchFile;
import dev.kintsugi.torch.TorchStateDict;
import dev.kintsugi.torch.TorchValue;
import dev.kintsugi.zip.ZipArchive;
import dev.kintsugi.zip.ZipRecord;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.TreeMap;

/// One file on its way through [Verify]: its archives and their records, and what is wrong so far.
final class FileCheck {
    private static final List<String> TORCH_ENDINGS = List.of(".pt", ".pth", ".bin", ".ckpt");
    private static final String CHUNKS_ENDING = ".distcp";
    private static final String METADATA = ".metadata";

    private final Path path;
    private long byteCount;
    private String note = "";
    private boolean archive;
    private final List<Unread> records = new ArrayList<>();
    private final List<Finding> findings = new ArrayList<>();

    /// Names of tensors by `place` and record.
    private final Map<String, List<String>> tensors = new TreeMap<>();

    /// A record whose checksum is to be computed.
    ///
    /// @param place names the archive in messages
    /// @param source the archive
    record Unread(String place, ByteSource source, ZipRecord entry) {
        /// Bytes to read.
        long byteCount() {
            return entry.deflated() ? entry.compressedByteCount() : entry.byteCount();
        }
    }

    private Optional<MappedFile> file = Optional.empty();

    private FileCheck(Path path) {
        this.path = path;
    }

    /// Opens `path` into `mapped` and checks its structure.
    static FileCheck open(Path path, MappedFiles mapped, Map<Path, DcpMetadata> known) {
        FileCheck check = new FileCheck(path);
        try {
            check.open(mapped, known);
        } catch (Fault fault) {
            check.add(fault);
        }
        return check;
    }

    List<Unread> records() {
        return records;
    }

    private String name() {
        return String.valueOf(path.getFileName());
    }

    private void add(Fault fault) {
        switch (fault.status()) {
            case CORRUPT, IO -> findings.add(Finding.of(fault));
            case REFUSED -> note = fault.what();
            case DONE, DIFFERENT, USAGE, BUG, INTERRUPTED -> throw fault;
        }
    }

    private void open(MappedFiles mapped, Map<Path, DcpMetadata> known) {
        MappedFile file = mapped.open(path);
        this.file = Optional.of(file);
        byteCount = file.byteCount();
        if (name().endsWith(CHUNKS_ENDING)) {
            openChunks(file, mapped, known);
        } else if (name().equals(METADATA)) {
            known.computeIfAbsent(path, _ -> metadata(file));
            note = "can be read; it has no checksum";
        } else if (ZipArchive.looksLikeZip(file)) {
            openArchive(file.name(), file, 0, file.byteCount());
        } else if (TORCH_ENDINGS.stream().anyMatch(name()::endsWith)) {
            TorchFile.open(file);
        } else {
            note = name().endsWith(".safetensors") ? "safetensors files have no checksums" : "not an archive";
        }
    }

    private static DcpMetadata metadata(MappedFile file) {
        Limit.PICKLE_BYTES.check(file.byteCount(), Code.K2202, () -> METADATA + " has " + file.byteCount() + " bytes");
        return DcpMetadata.read(METADATA, file.bytes(0, Math.toIntExact(file.byteCount())));
    }

    /// The archives in a file of a DCP checkpoint, one a chunk, are where the metadata beside it says.
    private void openChunks(MappedFile file, MappedFiles mapped, Map<Path, DcpMetadata> known) {
        Path beside = path.resolveSibling(METADATA);
        if (!Files.isRegularFile(beside)) {
            note = "not checked: there is no " + METADATA + " beside it that says where its chunks are";
            return;
        }
        Map<Long, Long> chunks = new TreeMap<>();
        DcpMetadata metadata = known.computeIfAbsent(beside, _ -> metadata(mapped.open(beside)));
        for (DcpMetadata.Entry entry : metadata.tensors().values()) {
            for (DcpMetadata.StoredChunk chunk : entry.chunks()) {
                if (chunk.file().equals(name())) {
                    chunks.put(chunk.byteOffset(), chunk.byteCount());
                }
            }
        }
        chunks.forEach((offset, count) -> {
            String place = name() + " at byte " + offset;
            if (offset < 0 || count < 0 || offset > byteCount - count) {
                findings.add(new Finding(
                        Code.K2101,
                        place + ": a chunk of " + count + " bytes, the file only holds " + byteCount,
                        "the file was cut short or is of another save than the " + METADATA,
                        "copy the file again from where it was saved",
                        List.of()));
                return;
            }
            try {
                openArchive(place, file, offset, count);
            } catch (Fault fault) {
                add(fault);
            }
        });
    }

    private void openArchive(String place, MappedFile file, long offset, long count) {
        ByteSource source = file.slice(offset, count);
        ZipArchive zip = ZipArchive.open(place, source);
        archive = true;
        zip.records().values().forEach(entry -> records.add(new Unread(place, source, entry)));
        boolean torch = zip.records().keySet().stream().anyMatch(n -> n.endsWith("data.pkl"));
        if (!torch && TORCH_ENDINGS.stream().noneMatch(name()::endsWith)) {
            return;
        }
        TorchFile opened;
        try {
            opened = TorchFile.open(place, file, offset, count);
        } catch (Fault fault) {
            if (fault.code() == Code.K2105) {
                return; // found again when the checksums are compared
            }
            throw fault;
        }
        try {
            TorchStateDict.read(opened, OptionalInt.empty())
                    .values()
                    .forEach((tensor, value) -> recordsOf(value)
                            .forEach(record -> tensors.computeIfAbsent(place + "/" + record, _ -> new ArrayList<>())
                                    .add(tensor)));
        } catch (Fault fault) {
            // That a file is no state dict is for others to judge; that a storage is missing or too short is damage.
            if (fault.code() == Code.K2102 || fault.code() == Code.K2103) {
                add(fault);
            }
        }
    }

    private static List<String> recordsOf(TorchValue value) {
        return switch (value) {
            case TorchValue.Plain plain -> List.of(plain.tensor().storage().record());
            case DTensor sharded -> List.of(sharded.local().storage().record());
            case ShardedTensor sharded ->
                sharded.locals().stream().map(l -> l.storage().record()).toList();
            case TorchValue.Other _ -> List.of();
        };
    }

    /// The verdict, given what each of [#records()] came to.
    FileVerdict verdict(List<Checksum.Result> results) {
        List<Integer> wrong = new ArrayList<>();
        int unrecorded = 0;
        long full = records.stream().filter(r -> r.entry().byteCount() > 0).count();
        for (int i = 0; i < records.size(); i++) {
            ZipRecord entry = records.get(i).entry();
            results.get(i).fault().ifPresent(this::add);
            if (results.get(i).fault().isEmpty() && results.get(i).crc32() != entry.crc32()) {
                if (entry.crc32() == 0) {
                    unrecorded++;
                } else {
                    wrong.add(i);
                }
            }
        }
        // A writer that computes no checksums leaves all of them wrong; damage does not hit every record.
        if (wrong.size() > 1 && wrong.size() + unrecorded == full) {
            unrecorded += wrong.size();
            wrong.clear();
        }
        wrong.forEach(i -> findings.add(mismatch(records.get(i), results.get(i).crc32())));
        if (findings.isEmpty()) {
            checkUnchanged();
        }
        if (unrecorded > 0) {
            note = unrecorded + " of " + records.size() + " records have no checksum";
        }
        return new FileVerdict(path, verdict(unrecorded), byteCount, records.size(), unrecorded, note, findings);
    }

    /// What was read of a file that is written to meanwhile proves nothing.
    private void checkUnchanged() {
        try {
            file.ifPresent(MappedFile::checkUnchanged);
        } catch (Fault fault) {
            add(fault);
        }
    }

    private Verdict verdict(int unrecorded) {
        if (!findings.isEmpty()) {
            return Verdict.DAMAGED;
        }
        if (!archive) {
            return Verdict.SKIPPED;
        }
        return unrecorded > 0 ? Verdict.NOT_RECORDED : Verdict.SOUND;
    }

    private Finding mismatch(Unread record, long actual) {
        ZipRecord entry = record.entry();
        List<String> affected = tensors.getOrDefault(record.place() + "/" + entry.name(), List.of());
        return new Finding(
                Code.K2105,
                String.format(
                        Locale.ROOT,
                        "%s: record %s of %,d bytes has CRC-32 %08x, the archive says %08x",
                        record.place(),
                        entry.name(),
                        entry.byteCount(),
                        actual,
                        entry.crc32()),
                "bytes of the file changed after it was written: a bad disk, memory or transfer",
                "copy the file again from where it was saved; torch.load does not notice",
                affected);
    }
}
