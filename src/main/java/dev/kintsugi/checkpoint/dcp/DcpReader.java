package dev.kintsugi.checkpoint.dcp;

import dev.kintsugi.checkpoint.JoinedTensor;
import dev.kintsugi.checkpoint.Joining;
import dev.kintsugi.checkpoint.Joining.PieceSource;
import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.ShardFile;
import dev.kintsugi.checkpoint.dcp.DcpMetadata.Entry;
import dev.kintsugi.checkpoint.dcp.DcpMetadata.StoredChunk;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchFile;
import dev.kintsugi.torch.TorchReader;
import dev.kintsugi.torch.TorchValue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// Reads what `.metadata` says is in the `.distcp` files of one directory.
///
/// **Memory.** Files are mapped once each into `mapped`, whose owner closes them.
public final class DcpReader {
    private static final Pattern SHARD = Pattern.compile("__(\\d{1,7})_\\d{1,7}\\.distcp");

    private final Path directory;
    private final MappedFiles mapped;

    public DcpReader(Path directory, MappedFiles mapped) {
        this.directory = directory;
        this.mapped = mapped;
    }

    /// Where the file named `file` is.
    public Path path(String file) {
        return directory.resolve(file);
    }

    /// The whole tensor `name`, its chunks checked against their boxes.
    ///
    /// **Errors.** [Fault] `K3001` for a file that is missing, `K2103` for one cut short, `K3004` and `K3005`
    /// for chunks that do not fit.
    public JoinedTensor join(String name, Entry entry) {
        try {
            Joining joining = new Joining(name, "chunks", entry.spec());
            for (StoredChunk chunk : entry.chunks()) {
                StridedTensor local = read(chunk);
                joining.add(
                        chunk.region(),
                        local,
                        new PieceSource(
                                rank(chunk.file()).orElse(-1),
                                directory.resolve(chunk.file()),
                                local.storage().record(),
                                local.storage().fileOffset() + local.byteOffset()));
            }
            return joining.join(Optional.empty(), List.of());
        } catch (Fault fault) {
            throw fault.at(name);
        }
    }

    /// The tensor a chunk holds.
    ///
    /// **Errors.** [Fault] as for [#join].
    public StridedTensor read(StoredChunk chunk) {
        TorchFile torch = archive(chunk);
        if (!(new TorchReader(torch, OptionalInt.empty()).read(torch.root()) instanceof TorchValue.Plain plain)) {
            throw new Fault(
                    Code.K2204,
                    torch.place() + ": no plain tensor",
                    "the checkpoint was written by a planner that is not known",
                    "save it again with the default planner");
        }
        if (!plain.tensor().spec().shape().equals(chunk.region().shape())) {
            throw new Fault(
                    Code.K3004,
                    chunk.file() + ": a chunk is " + plain.tensor().spec() + ", its place " + chunk.region() + " is "
                            + chunk.region().shape(),
                    "the file is of another save than .metadata",
                    "copy the whole directory again");
        }
        return plain.tensor();
    }

    /// The file of `torch.save` that a chunk or an object is, within its `.distcp` file.
    public TorchFile archive(StoredChunk chunk) {
        if (!SHARD.matcher(chunk.file()).matches()) {
            throw new Fault(
                    Code.K2204,
                    "a chunk in a file named " + chunk.file(),
                    "the files of a checkpoint are named __R_i.distcp and lie in its directory",
                    "do not trust this file");
        }
        Path path = directory.resolve(chunk.file());
        if (!Files.isRegularFile(path)) {
            throw new Fault(
                    Code.K3001,
                    chunk.file() + " is missing",
                    "it was written on another host, or was not copied",
                    "copy it beside .metadata");
        }
        MappedFile file = mapped.open(path);
        if (chunk.byteOffset() < 0
                || chunk.byteCount() < 0
                || chunk.byteOffset() > file.byteCount() - chunk.byteCount()) {
            throw new Fault(
                    Code.K2103,
                    chunk.file() + " holds " + file.byteCount() + " bytes, a chunk is at byte " + chunk.byteOffset()
                            + " and " + chunk.byteCount() + " long",
                    "the file was cut short or is still being written",
                    "copy the file again");
        }
        String place = chunk.file() + " at byte " + chunk.byteOffset();
        return TorchFile.open(place, file, chunk.byteOffset(), chunk.byteCount());
    }

    /// The rank that wrote the file named `file`, or nothing where it is no `.distcp` file.
    public static OptionalInt rank(String file) {
        Matcher matcher = SHARD.matcher(file);
        return matcher.matches() ? OptionalInt.of(Integer.parseInt(matcher.group(1))) : OptionalInt.empty();
    }

    /// The `.distcp` files there are, by rank.
    public List<ShardFile> shardFiles(Map<String, Integer> tensorsPerFile) {
        List<ShardFile> files = new ArrayList<>();
        try (Stream<Path> list = Files.list(directory)) {
            for (Path path : list.sorted().toList()) {
                String name = String.valueOf(path.getFileName());
                OptionalInt rank = rank(name);
                if (rank.isPresent()) {
                    files.add(new ShardFile(
                            path,
                            rank,
                            tensorsPerFile.getOrDefault(name, 0),
                            Files.size(path),
                            Files.getLastModifiedTime(path).toMillis(),
                            "ok"));
                }
            }
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003,
                    directory + ": cannot be listed",
                    "the system says: " + e.getMessage(),
                    "check the path and its permissions",
                    e);
        }
        files.sort(Comparator.comparingInt(f -> f.rank().orElse(-1)));
        return files;
    }
}
