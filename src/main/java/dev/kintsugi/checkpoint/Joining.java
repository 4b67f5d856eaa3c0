package dev.kintsugi.checkpoint;

import dev.kintsugi.sharding.AssembledTensor;
import dev.kintsugi.sharding.Chunk;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Puts pieces of one tensor together: where several ranks hold the same box, the first stands for all.
public final class Joining {
    private final String storedName;
    private final String kind;
    private final TensorSpec spec;
    private final Map<Region, Chunk> chunks = new LinkedHashMap<>();
    private final List<Piece> pieces = new ArrayList<>();

    public Joining(String storedName, String kind, TensorSpec spec) {
        this.storedName = storedName;
        this.kind = kind;
        this.spec = spec;
    }

    /// Adds what one rank holds: `local`, of which the leading part fills `region`.
    ///
    /// `byteOffset` is where its first element lies in `piece.file()`.
    public void add(Region region, Tensor local, PieceSource source) {
        boolean replica = chunks.containsKey(region) && !region.isEmpty();
        if (!region.isEmpty() && !replica) {
            chunks.put(region, new Chunk(region, local));
        }
        long trimmed = local.spec().elementCount() - region.elementCount();
        pieces.add(new Piece(
                source.rank(), source.file(), source.record(), source.byteOffset(), region, trimmed, replica));
    }

    /// Where a piece's bytes are.
    public record PieceSource(int rank, Path file, String record, long byteOffset) {}

    /// The whole tensor.
    ///
    /// **Errors.** [dev.kintsugi.fault.Fault] `K3005` if the pieces do not tile it.
    public JoinedTensor join(Optional<DeviceMesh> mesh, List<String> placements) {
        return join(mesh, placements, List.of());
    }

    /// The whole tensor, though the ranks that should hold `absent` are missing.
    ///
    /// **Errors.** [dev.kintsugi.fault.Fault] `K3005` if the pieces do not tile it.
    public JoinedTensor join(Optional<DeviceMesh> mesh, List<String> placements, List<Layout.Absent> absent) {
        Tensor whole = AssembledTensor.of(spec, List.copyOf(chunks.values()));
        return new JoinedTensor(whole, layout(mesh, placements, absent));
    }

    /// How the pieces lie, whether or not they tile the tensor.
    public Layout layout(Optional<DeviceMesh> mesh, List<String> placements, List<Layout.Absent> absent) {
        List<String> meshDims = new ArrayList<>();
        mesh.ifPresent(m -> {
            for (int dim = 0; dim < m.ndim(); dim++) {
                meshDims.add(m.dimNames().get(dim) + "=" + m.shape().dim(dim));
            }
        });
        return new Layout(storedName, kind, spec, meshDims, placements, pieces, absent);
    }
}
