package dev.kintsugi.torch;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.ByteSource;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.pickle.PickleMachine;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.zip.ZipArchive;
import dev.kintsugi.zip.ZipRecord;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.zip.CRC32;

/// A file of `torch.save`, or one of several in a `.distcp` file: its pickle and its storages.
///
/// **Memory.** The pickle's values are in memory, the storages in the mapped file.
/// **Errors.** [Fault] `K2003`, `K2101` to `K2104`, `K2201` to `K2205`; messages name the file.
public final class TorchFile {
    private static final int MAX_SHORT_RECORD = 1 << 16;
    private static final String PICKLE = "data.pkl";

    private final String place;
    private final Path path;
    private final long baseOffset;
    private final ZipArchive archive;
    private final String prefix;
    private final PickleMachine.Result pickle;

    private TorchFile(String place, Path path, long baseOffset, ZipArchive archive, String prefix) {
        this.place = place;
        this.path = path;
        this.baseOffset = baseOffset;
        this.archive = archive;
        this.prefix = prefix;
        this.pickle = readPickle();
    }

    /// Reads the directory and the pickle of `file`.
    public static TorchFile open(MappedFile file) {
        return open(file.name(), file, 0, file.byteCount());
    }

    /// Reads the archive at `[byteOffset, byteOffset + byteCount)` of `file`. `place` names it in messages.
    public static TorchFile open(String place, MappedFile file, long byteOffset, long byteCount) {
        ByteSource source = file.slice(byteOffset, byteCount);
        if (!ZipArchive.looksLikeZip(source)) {
            throw notTorch(place, source);
        }
        ZipArchive archive = ZipArchive.open(place, source);
        List<String> pickles = archive.records().keySet().stream()
                .filter(n -> n.equals(PICKLE) || n.endsWith("/" + PICKLE))
                .toList();
        if (pickles.size() != 1) {
            throw new Fault(
                    Code.K2102,
                    place + ": a zip archive with " + pickles.size() + " records named " + PICKLE,
                    "torch.save writes exactly one",
                    "check that this is a file of torch.save");
        }
        String name = pickles.getFirst();
        String folder = name.substring(0, name.length() - PICKLE.length());
        String first = archive.records().firstEntry().getKey();
        if (!first.startsWith(folder)) {
            throw new Fault(
                    Code.K2102,
                    place + ": its first record is " + first + ", its pickle " + name,
                    "torch looks for the pickle in the folder of the first record",
                    "check that this is a file of torch.save");
        }
        if (archive.find(folder + "constants.pkl").isPresent()) {
            throw new Fault(
                    Code.K4012,
                    place + ": a TorchScript program, not a state dict",
                    "it holds code, which is not looked at",
                    "save its state_dict() with torch.save");
        }
        return new TorchFile(place, file.path(), byteOffset, archive, folder);
    }

    /// Why `source` is no zip archive, as far as its first bytes tell.
    private static Fault notTorch(String place, ByteSource source) {
        String start =
                new String(source.bytes(0, (int) Math.min(512, source.byteCount())), StandardCharsets.ISO_8859_1);
        String what;
        String next = "copy the file again";
        if (source.byteCount() == 0) {
            what = "is empty";
        } else if (start.startsWith("version https://git-lfs")) {
            what = "is a Git LFS pointer, not the file itself";
            next = "fetch the file with: git lfs pull";
        } else if (start.startsWith("<") || start.startsWith("{\"error")) {
            what = "is a web page or an error message, not the file itself";
        } else if (start.chars().allMatch(c -> c == 0)) {
            what = "begins with zeros: it was reserved but never written";
        } else if (start.startsWith("\u0080\u0002\u008a\nl\u00fc\u009cF")) {
            return new Fault(
                    Code.K4012,
                    place + ": a file of torch.save in the format before torch 1.6",
                    "it is no zip archive but a row of pickles",
                    "save it again with a newer torch");
        } else if (start.startsWith("ustar", 257)) {
            return container(place, "a TAR archive", "torch before 0.1.10 saved so, and so are checkpoints packed");
        } else if (start.startsWith("\u001f\u008b")) {
            return container(place, "compressed with gzip", "torch does not compress what it saves");
        } else {
            what = "is no zip archive, so no file of torch.save";
        }
        return new Fault(
                Code.K2003,
                place + " (" + source.byteCount() + " bytes): " + what,
                "the download or the copy did not finish, or the job died while it saved",
                next);
    }

    private static Fault container(String place, String what, String why) {
        return new Fault(Code.K4012, place + ": " + what + ", no file of torch.save", why, "unpack it first");
    }

    private PickleMachine.Result readPickle() {
        find("byteorder").ifPresent(record -> {
            ByteSource bytes = archive.open(record);
            String order = new String(bytes.bytes(0, (int) Math.min(16, bytes.byteCount())), StandardCharsets.US_ASCII);
            if (!order.equals("little")) {
                throw new Fault(
                        Code.K4012,
                        place + ": byte order \"" + order + '"',
                        "only little-endian files are read",
                        "save it again on a little-endian machine");
            }
        });
        ZipRecord record = find(PICKLE).orElseThrow();
        Limit.PICKLE_BYTES.check(
                record.byteCount(), Code.K2202, () -> place + ": a pickle of " + record.byteCount() + " bytes");
        byte[] bytes = archive.open(record).bytes(0, (int) record.byteCount());
        if (record.crc32() != 0 && record.crc32() != crcOf(bytes) && recordsChecksums()) {
            throw new Fault(
                    Code.K2105,
                    String.format(
                            Locale.ROOT,
                            "%s: the CRC-32 of record %s is %08x, the archive says %08x",
                            place,
                            record.name(),
                            crcOf(bytes),
                            record.crc32()),
                    "the file was damaged on the way, or changed after it was saved",
                    "copy the file again");
        }
        PickleMachine.Result result = PickleMachine.readAll(place, bytes);
        Opaque.remark(result);
        return result;
    }

    /// Whether the archive has checksums at all: torch writes numbers that are none after
    /// `set_crc32_options(False)`. The short records beside the pickle tell.
    private boolean recordsChecksums() {
        List<ZipRecord> others = archive.records().values().stream()
                .filter(r -> r.byteCount() > 0
                        && r.byteCount() <= MAX_SHORT_RECORD
                        && !r.name().equals(prefix + PICKLE))
                .limit(8)
                .toList();
        return others.isEmpty()
                || others.stream()
                        .anyMatch(r -> r.crc32() == crcOf(archive.open(r).bytes(0, (int) r.byteCount())));
    }

    private static long crcOf(byte[] bytes) {
        CRC32 crc = new CRC32();
        crc.update(bytes);
        return crc.getValue();
    }

    private Optional<ZipRecord> find(String name) {
        return archive.find(prefix + name);
    }

    /// The pickled value.
    public PickleValue root() {
        return pickle.value();
    }

    /// The calls in the pickle that torch writes for no tensor, as a person reads them. None was made.
    public List<String> opaqueCalls() {
        return Opaque.in(pickle);
    }

    public ZipArchive archive() {
        return archive;
    }

    /// The name for messages.
    public String place() {
        return place;
    }

    /// The record of the storage `key`, `data/<key>`.
    ZipRecord storageRecord(String key) {
        String name = "data/" + key;
        return find(name)
                .orElseThrow(() -> new Fault(
                        Code.K2102,
                        place + ": record " + name + " is missing",
                        "the file was cut short or put together from parts",
                        "copy the file again; check it with: verify"));
    }

    /// The storage that is `record`.
    Storage storage(ZipRecord record) {
        return new Storage(path, record.name(), baseOffset + record.dataOffset(), archive.open(record));
    }
}
