package dev.kintsugi.torch;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Call;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.pickle.PickleValue.Text;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.sharding.Placement;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Function;

/// Reads a `DTensorSpec` with its `DeviceMesh`, as torch 2.1 to 2.14 pickle them. Unknown fields are ignored.
///
/// The ranks of a mesh stand in `mesh` (an N-D tensor, to 2.8), or in `_rank_map` at the positions that
/// `_layout` gives: `shape` and `stride` per dim (2.9), or nested in `axes` (2.13). A sliced mesh is a layout
/// over a map of more ranks; which translate of it is meant follows from the rank that wrote the file.
///
/// **Source.** `torch/distributed/device_mesh.py`, `_mesh_layout.py`, `tensor/_dtensor_spec.py` of these
/// versions.
final class DTensorSpecReader {
    private static final int MAX_AXES = 64;
    private static final int MAX_NESTING = 3;

    private final Function<PickleValue, StridedTensor> tensors;
    private final OptionalInt fileRank;
    private final Map<PickleValue, DeviceMesh> meshes = new IdentityHashMap<>();

    DTensorSpecReader(Function<PickleValue, StridedTensor> tensors, OptionalInt fileRank) {
        this.tensors = tensors;
        this.fileRank = fileRank;
    }

    /// `old` is set for the layout before 2.5, which had no strided shards.
    record Spec(DeviceMesh mesh, List<Placement> placements, boolean old) {}

    Spec read(PickleValue value) {
        Call call = Pickled.call(value, "the spec of a DTensor");
        Dict fields = Pickled.fields(call);
        List<Placement> placements = new ArrayList<>();
        for (PickleValue placement :
                Pickled.items(Pickled.require(fields, "a DTensorSpec", "placements"), "placements")) {
            placements.add(placement(Pickled.call(placement, "a placement")));
        }
        boolean old = call.path().startsWith("torch.distributed._tensor.");
        // The tensors of a file share one mesh object.
        DeviceMesh mesh = meshes.computeIfAbsent(Pickled.require(fields, "a DTensorSpec", "mesh"), this::mesh);
        return new Spec(mesh, ShardOrder.applied(placements, mesh, fields), old);
    }

    private static Placement placement(Call call) {
        String path = call.path();
        String name = path.substring(path.lastIndexOf('.') + 1);
        return switch (name) {
            case "Shard" -> new Placement.Shard(dim(call));
            case "_StridedShard" ->
                new Placement.StridedShard(
                        dim(call),
                        Math.toIntExact(Math.clamp(
                                Pickled.number(
                                        Pickled.require(Pickled.fields(call), "a _StridedShard", "split_factor"),
                                        "a split factor"),
                                1L,
                                Integer.MAX_VALUE)));
            case "Replicate" -> new Placement.Replicate();
            case "Partial", "_Partial" -> new Placement.Partial(reduction(call));
            default -> new Placement.Unknown(name);
        };
    }

    private static int dim(Call call) {
        long dim = Pickled.number(Pickled.require(Pickled.fields(call), "a Shard", "dim"), "the dim of a Shard");
        if (dim < -64 || dim > 64) {
            throw Pickled.fault("a Shard of dim " + dim);
        }
        return (int) dim;
    }

    private static String reduction(Call call) {
        if (call.states().isEmpty()) {
            return "?";
        }
        return Pickled.field(Pickled.fields(call), "reduce_op")
                .map(op -> op instanceof Text text ? text.value() : "?")
                .orElse("?");
    }

    private DeviceMesh mesh(PickleValue value) {
        Dict fields = Pickled.fields(Pickled.call(value, "a DeviceMesh"));
        Pickled.field(fields, "_rank").ifPresent(rank -> checkRank(Pickled.number(rank, "the rank in a DeviceMesh")));
        List<String> names = Pickled.field(fields, "mesh_dim_names", "_mesh_dim_names")
                .map(DTensorSpecReader::names)
                .orElse(List.of());
        try {
            DeviceMesh mesh = Pickled.field(fields, "_layout")
                    .map(layout -> fromLayout(names, layout, fields))
                    .orElseGet(() -> fromTensor(names, fields));
            Pickled.field(fields, "_coordinate_on_dim").ifPresent(at -> checkCoordinate(mesh, at));
            return mesh;
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw Pickled.fault("a DeviceMesh that is none: " + e.getMessage());
        }
    }

    private void checkRank(long rank) {
        if (fileRank.isPresent() && fileRank.getAsInt() != rank) {
            throw otherRank("was written by rank " + rank + ", though its name says rank " + fileRank.getAsInt());
        }
    }

    /// Before 2.11 a mesh does not say which rank wrote it, but where on it that rank stood.
    private void checkCoordinate(DeviceMesh mesh, PickleValue value) {
        int[] written = Pickled.items(value, "the coordinate in a DeviceMesh").stream()
                .mapToInt(at -> Math.toIntExact(Pickled.number(at, "a coordinate in a DeviceMesh")))
                .toArray();
        Optional<int[]> named = fileRank.isPresent() ? mesh.coordinate(fileRank.getAsInt()) : Optional.empty();
        if (named.isPresent() && !Arrays.equals(named.get(), written)) {
            throw otherRank("was written at " + Arrays.toString(written) + " of the mesh " + mesh
                    + ", though its name says rank " + fileRank.getAsInt() + ", which is at "
                    + Arrays.toString(named.get()));
        }
    }

    private static Fault otherRank(String what) {
        return new Fault(
                Code.K3002, what, "the file was renamed, or copied over another rank's", "copy this rank's file again");
    }

    private static List<String> names(PickleValue value) {
        List<String> names = new ArrayList<>();
        for (PickleValue name : Pickled.items(value, "the dim names of a DeviceMesh")) {
            names.add(Pickled.text(name, "a dim name of a DeviceMesh"));
        }
        return names;
    }

    private DeviceMesh fromTensor(List<String> names, Dict fields) {
        StridedTensor tensor = tensors.apply(Pickled.require(fields, "a DeviceMesh", "mesh"));
        return DeviceMesh.of(names, tensor.spec().shape(), ranks(tensor));
    }

    private DeviceMesh fromLayout(List<String> names, PickleValue layout, Dict fields) {
        int[] map = ranks(tensors.apply(Pickled.require(fields, "a DeviceMesh", "_rank_map")));
        Axes axes = Axes.of(layout);
        int[] positions = axes.positions();
        for (int shift : shifts(map, positions)) {
            if (isTranslate(axes, shift)) {
                int[] ranks = new int[positions.length];
                Arrays.setAll(ranks, i -> map[positions[i] + shift]);
                return DeviceMesh.of(names, axes.meshShape(), ranks);
            }
        }
        throw Pickled.fault("a DeviceMesh of " + axes.meshShape() + " over " + map.length + " ranks without rank "
                + (fileRank.isPresent() ? fileRank.getAsInt() : "?"));
    }

    /// How far `positions` may be moved over `map` so that they stay in it and cover this file's rank, in
    /// order.
    private int[] shifts(int[] map, int[] positions) {
        int last = Arrays.stream(positions).max().orElse(0);
        if (fileRank.isEmpty()) {
            return last < map.length ? new int[] {0} : new int[0];
        }
        int mine = 0;
        while (mine < map.length && map[mine] != fileRank.getAsInt()) {
            mine++;
        }
        int place = mine;
        return Arrays.stream(positions)
                .map(p -> place - p)
                .filter(s -> s >= 0 && s < map.length - last && place < map.length)
                .sorted()
                .distinct()
                .toArray();
    }

    /// A shift that itself lies on an axis would only rotate the slice onto itself.
    private static boolean isTranslate(Axes axes, int shift) {
        for (int axis = 0; axis < axes.shapes.size(); axis++) {
            long stride = axes.strides.get(axis);
            if (stride > 0 && axes.shapes.get(axis) > 1 && shift / stride % axes.shapes.get(axis) != 0) {
                return false;
            }
        }
        return true;
    }

    private static int[] ranks(StridedTensor tensor) {
        DType dtype = tensor.spec().dtype();
        long count = tensor.spec().elementCount();
        if ((dtype != DType.I32 && dtype != DType.I64) || count > Limit.RANKS.value()) {
            throw Pickled.fault("a DeviceMesh of " + tensor.spec());
        }
        MemorySegment bytes = MemorySegment.ofArray(new byte[(int) count * dtype.byteWidth()]);
        tensor.read(0, count, bytes);
        int[] ranks = new int[(int) count];
        for (int i = 0; i < ranks.length; i++) {
            ranks[i] = dtype == DType.I32
                    ? bytes.get(ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 4L * i)
                    : Math.toIntExact(
                            bytes.get(ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), 8L * i));
        }
        return ranks;
    }

    /// The flat axes of a layout; `perMeshDim` says how many of them make up each mesh dim.
    private record Axes(List<Long> shapes, List<Long> strides, List<Integer> perMeshDim) {
        static Axes of(PickleValue layout) {
            Axes axes = new Axes(new ArrayList<>(), new ArrayList<>(), new ArrayList<>());
            Dict fields = Pickled.fields(Pickled.call(layout, "the layout of a DeviceMesh"));
            if (fields.get("axes").isPresent()) {
                for (PickleValue axis : Pickled.items(Pickled.require(fields, "a layout", "axes"), "axes")) {
                    Dict flat = Pickled.fields(Pickled.call(axis, "an axis"));
                    axes.addDim(Pickled.require(flat, "an axis", "shape"), Pickled.require(flat, "an axis", "stride"));
                }
                return axes;
            }
            List<PickleValue> shapes = axisItems(Pickled.require(fields, "a layout", "shape"));
            List<PickleValue> strides = axisItems(Pickled.require(fields, "a layout", "stride"));
            if (shapes.size() != strides.size()) {
                throw Pickled.fault("a layout of " + shapes.size() + " shapes and " + strides.size() + " strides");
            }
            for (int i = 0; i < shapes.size(); i++) {
                axes.addDim(shapes.get(i), strides.get(i));
            }
            return axes;
        }

        private static List<PickleValue> axisItems(PickleValue value) {
            return value instanceof PickleValue.Int ? List.of(value) : Pickled.items(value, "a layout");
        }

        private void addDim(PickleValue shape, PickleValue stride) {
            perMeshDim.add(flatten(shape, stride, 0));
        }

        /// Adds the axes of one mesh dim and says how many they are.
        private int flatten(PickleValue shape, PickleValue stride, int depth) {
            List<PickleValue> extents = axisItems(shape);
            List<PickleValue> steps = axisItems(stride);
            if (depth > MAX_NESTING || extents.size() > MAX_AXES) {
                throw Pickled.fault("an axis nested too deep, or of " + extents.size() + " parts");
            }
            if (extents.size() != steps.size()) {
                throw Pickled.fault("an axis of " + extents.size() + " shapes and " + steps.size() + " strides");
            }
            int flat = 0;
            for (int i = 0; i < extents.size(); i++) {
                if (extents.get(i) instanceof PickleValue.Int) {
                    shapes.add(positive(extents.get(i)));
                    strides.add(positive(steps.get(i)));
                    flat++;
                } else {
                    flat += flatten(extents.get(i), steps.get(i), depth + 1);
                }
                if (shapes.size() > MAX_AXES) {
                    throw Pickled.fault("a DeviceMesh of more than " + MAX_AXES + " axes");
                }
            }
            return flat;
        }

        private static long positive(PickleValue value) {
            long number = Pickled.number(value, "an axis");
            if (number < 0 || number > Limit.RANKS.value()) {
                throw Pickled.fault("an axis of " + number);
            }
            return number;
        }

        Shape meshShape() {
            long[] extents = new long[perMeshDim.size()];
            int axis = 0;
            for (int dim = 0; dim < extents.length; dim++) {
                extents[dim] = 1;
                for (int i = 0; i < perMeshDim.get(dim); i++) {
                    extents[dim] = Math.multiplyExact(extents[dim], shapes.get(axis++));
                }
            }
            return Shape.of(extents);
        }

        /// Where each rank of the mesh stands in the map, row-major.
        int[] positions() {
            long count = meshShape().elementCount();
            if (count > Limit.RANKS.value()) {
                throw Pickled.fault("a DeviceMesh of " + meshShape());
            }
            int[] positions = new int[(int) count];
            for (int i = 0; i < positions.length; i++) {
                long rest = i;
                long position = 0;
                for (int axis = shapes.size() - 1; axis >= 0; axis--) {
                    position += rest % shapes.get(axis) * strides.get(axis);
                    rest /= shapes.get(axis);
                }
                positions[i] = Math.toIntExact(position);
            }
            return positions;
        }
    }
}
