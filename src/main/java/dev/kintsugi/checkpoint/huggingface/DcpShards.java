package dev.kintsugi.checkpoint.huggingface;

import dev.kintsugi.checkpoint.JoinedTensor;
import dev.kintsugi.checkpoint.Joining;
import dev.kintsugi.checkpoint.Joining.PieceSource;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.io.ForeignJson;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.safetensors.SafetensorsFile;
import dev.kintsugi.safetensors.StoredTensor;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.TensorSpec;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// Safetensors files of which each has what one rank wrote: pieces of tensors, whose offsets the header tells.
///
/// No file says how large a tensor is: it is as large as its pieces reach, and they must tile it. So a last rank
/// whose file is missing cannot be seen here; the shapes that `config.json` asks for tell it.
///
/// **Source.** `torch/distributed/checkpoint/hf_storage.py`, `HuggingFaceStorageWriter(save_distributed=True)` and
/// its reader: `shard-00001-model-00001-of-00001.safetensors` with `DCP_SHARDING_INFO` in its metadata.
final class DcpShards {
    static final String NOTE = "pieces by rank, of which no file says how many there were: a tensor is as large as its"
            + " pieces reach, and only config.json can tell that the last is missing";

    private static final String INFO = "DCP_SHARDING_INFO";
    private static final Pattern NAME = Pattern.compile("shard-(\\d{5})-model-\\d{5}-of-\\d{5}\\.safetensors");

    private final SequencedMap<String, List<Placed>> pieces = new LinkedHashMap<>();
    private final TreeSet<Integer> shards = new TreeSet<>();

    private record Placed(Region region, StoredTensor tensor, MappedFile file, int rank) {}

    /// Whether `file` is a rank's part.
    static boolean isOne(SafetensorsFile file) {
        return file.metadata().containsKey(INFO);
    }

    /// Adds the pieces in one file. **Errors.** [Fault] `K2301` where its offsets cannot be understood.
    void add(MappedFile file, SafetensorsFile content) {
        Matcher named = NAME.matcher(file.name());
        int rank = named.matches() ? Integer.parseInt(named.group(1)) - 1 : -1;
        if (rank >= 0) {
            shards.add(rank + 1);
        }
        JsonNode offsets = offsets(file, content);
        content.tensors().forEach((name, tensor) -> {
            Shape shape = tensor.spec().shape();
            Region region = new Region(offset(file, name, offsets.path(name).path("saved_offsets"), shape), shape);
            pieces.computeIfAbsent(name, n -> new ArrayList<>()).add(new Placed(region, tensor, file, rank));
        });
    }

    private static JsonNode offsets(MappedFile file, SafetensorsFile content) {
        try {
            return ForeignJson.tree(content.metadata().getOrDefault(INFO, "{}"));
        } catch (JacksonException e) {
            throw ForeignJson.fault(Code.K2301, file.name() + ": " + INFO, e, "the file is damaged", "copy it again");
        }
    }

    /// Where a piece begins; a tensor of which nothing is said is whole.
    private static Shape offset(MappedFile file, String name, JsonNode offsets, Shape shape) {
        long[] offset = new long[shape.ndim()];
        if (offsets.isMissingNode()) {
            return Shape.of(offset);
        }
        boolean fits = offsets.isArray() && offsets.size() == offset.length;
        for (int dim = 0; fits && dim < offset.length; dim++) {
            JsonNode value = offsets.get(dim);
            fits = value.isIntegralNumber() && value.canConvertToLong() && value.longValue() >= 0;
            offset[dim] = fits ? value.longValue() : 0;
        }
        if (!fits) {
            throw damaged(file, "has no offset for " + name + " " + shape, "it says " + offsets);
        }
        return Shape.of(offset);
    }

    private static Fault damaged(MappedFile file, String what, String why) {
        return new Fault(Code.K2301, file.name() + ": " + INFO + " " + what, why, "copy it again");
    }

    /// The whole tensors.
    ///
    /// **Errors.** [Fault] `K3001` where the numbers of the files have a gap, `K3003` where ranks disagree, `K3005`
    /// where pieces do not tile their tensor.
    SequencedMap<String, JoinedTensor> join() {
        if (!shards.isEmpty() && shards.size() != shards.last()) {
            int missing = 1;
            while (shards.contains(missing)) {
                missing++;
            }
            throw new Fault(
                    Code.K3001,
                    String.format(
                            Locale.ROOT, "shard-%05d-… is missing, shard-%05d-… is there", missing, shards.last()),
                    "its rank wrote on another host, or it was not copied",
                    "copy it here");
        }
        SequencedMap<String, JoinedTensor> joined = new LinkedHashMap<>();
        pieces.forEach((name, parts) -> joined.put(name, join(name, parts)));
        return joined;
    }

    private static JoinedTensor join(String name, List<Placed> parts) {
        Placed first = parts.getFirst();
        long[] reach = new long[first.region.ndim()];
        for (Placed part : parts) {
            boolean alike = part.region.ndim() == reach.length
                    && part.tensor.spec().dtype() == first.tensor.spec().dtype();
            if (!alike) {
                throw new Fault(
                        Code.K3003,
                        name + " is " + part.tensor.spec() + " in " + part.file.name() + ", " + first.tensor.spec()
                                + " in " + first.file.name(),
                        "files of different runs or steps are mixed",
                        "copy all files of one save again");
            }
            for (int dim = 0; dim < reach.length; dim++) {
                reach[dim] = Math.max(reach[dim], part.region.end(dim));
            }
        }
        TensorSpec spec = new TensorSpec(first.tensor.spec().dtype(), Shape.of(reach));
        Joining joining = new Joining(name, "safetensors chunks", spec);
        for (Placed part : parts) {
            joining.add(
                    part.region,
                    part.tensor,
                    new PieceSource(part.rank, part.file.path(), "", part.tensor.byteOffset()));
        }
        try {
            return joining.join(Optional.empty(), List.of());
        } catch (Fault fault) {
            throw fault.at(name);
        }
    }
}
