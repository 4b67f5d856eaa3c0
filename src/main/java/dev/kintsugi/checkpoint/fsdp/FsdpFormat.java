package dev.kintsugi.checkpoint.fsdp;

import dev.kintsugi.checkpoint.Checkpoint;
import dev.kintsugi.checkpoint.CheckpointFormat;
import dev.kintsugi.checkpoint.JoinedTensor;
import dev.kintsugi.checkpoint.Layout;
import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.OpenOptions;
import dev.kintsugi.checkpoint.OptimizerCheckpoint;
import dev.kintsugi.checkpoint.Ranks;
import dev.kintsugi.checkpoint.ShardFile;
import dev.kintsugi.checkpoint.Sidecars;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Note;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.torch.DTensor;
import dev.kintsugi.torch.ShardedTensor;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchFile;
import dev.kintsugi.torch.TorchStateDict;
import dev.kintsugi.torch.TorchValue;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Parallel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.SequencedMap;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;

/// Opens FSDP checkpoints.
public final class FsdpFormat implements CheckpointFormat {
    private static final long MIXED_SAVE_MILLIS = 30 * 60_000L;

    @Override
    public String name() {
        return "fsdp";
    }

    @Override
    public boolean recognises(Path path) {
        if (!Files.isDirectory(path)) {
            return false;
        }
        try (Stream<Path> list = Files.list(path)) {
            return list.anyMatch(p -> RankFiles.isRankFile(String.valueOf(p.getFileName())));
        } catch (IOException e) {
            return false;
        }
    }

    @Override
    public Checkpoint open(List<Path> paths, OpenOptions options, Job job) {
        RankFiles files = RankFiles.scan(paths);
        MappedFiles mapped = new MappedFiles();
        try {
            return new Opening(paths, files, options, job, mapped).open();
        } catch (RuntimeException | Error e) {
            mapped.close();
            throw e;
        }
    }

    @Override
    public Optional<OptimizerCheckpoint> openOptimizer(List<Path> paths, OpenOptions options, Job job) {
        MappedFiles mapped = new MappedFiles();
        try (Checkpoint model = open(paths, options, job)) {
            SortedMap<Integer, Path> files = RankFiles.optimizers(paths, model.worldSize());
            if (files.isEmpty()) {
                return Optional.empty();
            }
            return Optional.of(new OptimizerFiles(model, files, options, mapped).open(job));
        } catch (RuntimeException | Error e) {
            mapped.close();
            throw e;
        }
    }

    /// One opening, step by step.
    private static final class Opening {
        private final List<Path> directories;
        private final RankFiles files;
        private final OpenOptions options;
        private final Job job;
        private final MappedFiles mapped;
        private final List<Note> notes = new ArrayList<>();
        private final List<String> ignored = new ArrayList<>();
        private final List<String> holes = new ArrayList<>();
        private final Map<String, Layout> holeLayouts = new LinkedHashMap<>();
        private final SortedMap<Integer, String> damaged = new TreeMap<>();

        Opening(List<Path> directories, RankFiles files, OpenOptions options, Job job, MappedFiles mapped) {
            this.directories = directories;
            this.files = files;
            this.options = options;
            this.job = job;
            this.mapped = mapped;
        }

        Checkpoint open() {
            ignored.addAll(files.ignored());
            List<RankPart> parts = readParts();
            SequencedMap<String, JoinedTensor> joined = join(parts);
            noteBasics(parts);
            SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
            Map<String, Layout> layouts = new LinkedHashMap<>(holeLayouts);
            joined.forEach((name, tensor) -> {
                tensors.put(name, tensor.tensor());
                layouts.put(name, tensor.layout());
            });
            return new Checkpoint(
                    format(parts),
                    directories,
                    files.worldSize(),
                    mesh(parts),
                    shardFiles(parts),
                    StateDict.of(tensors),
                    layouts,
                    rankViews(parts),
                    Sidecars.find(directories, options),
                    notes,
                    holes,
                    ignored,
                    Optional.empty(),
                    List.of(),
                    mapped);
        }

        private List<RankPart> readParts() {
            List<Optional<RankPart>> read =
                    Parallel.map(job, List.copyOf(files.byRank().entrySet()), e -> readPart(e.getKey(), e.getValue()));
            return read.stream().flatMap(Optional::stream).toList();
        }

        private Optional<RankPart> readPart(int rank, Path path) {
            try {
                MappedFile file = mapped.open(path);
                try {
                    TorchStateDict dict = TorchStateDict.read(TorchFile.open(file), OptionalInt.of(rank));
                    return Optional.of(new RankPart(rank, file, dict.values()));
                } catch (Fault fault) {
                    throw fault.what().startsWith(file.name()) ? fault : fault.at(file.name());
                }
            } catch (Fault fault) {
                if (!options.allowMissing() || fault.code() == Code.K9002) {
                    throw fault;
                }
                synchronized (damaged) {
                    damaged.put(rank, fault.what());
                }
                return Optional.empty();
            }
        }

        private SequencedMap<String, JoinedTensor> join(List<RankPart> parts) {
            List<Integer> absent = new ArrayList<>(files.missing());
            absent.addAll(damaged.keySet());
            RankJoin join = new RankJoin(files, options, absent, notes);
            SequencedMap<String, JoinedTensor> joined = new LinkedHashMap<>();
            for (String name : names(parts)) {
                Map<RankPart, TorchValue> values = new LinkedHashMap<>();
                boolean tensor = false;
                for (RankPart part : parts) {
                    TorchValue value = part.values().get(name);
                    if (value != null) {
                        values.put(part, value);
                        tensor |= !(value instanceof TorchValue.Other);
                    }
                }
                if (!tensor) {
                    ignored.add(name + " (no tensor)");
                    continue;
                }
                try {
                    joined.put(name, join.join(name, values, parts.size()));
                } catch (Fault fault) {
                    if (!options.allowMissing() || absent.isEmpty() || fault.code() != Code.K3001) {
                        throw fault;
                    }
                    holes.add(name);
                }
            }
            join.finish();
            holeLayouts.putAll(join.holes());
            if (!holes.isEmpty()) {
                notes.add(Note.information(holes.size() + " tensors have holes where ranks " + Ranks.text(absent)
                        + " are missing and are left out of the model: " + String.join(", ", first(holes))
                        + (holes.size() > 3 ? ", …" : "")));
            } else if (!absent.isEmpty()) {
                notes.add(
                        Note.information("ranks " + Ranks.text(absent) + " are missing; the others hold every piece"));
            }
            return joined;
        }

        private static List<String> first(List<String> names) {
            return names.subList(0, Math.min(3, names.size()));
        }

        private static LinkedHashSet<String> names(List<RankPart> parts) {
            LinkedHashSet<String> names = new LinkedHashSet<>();
            parts.forEach(p -> names.addAll(p.values().keySet()));
            return names;
        }

        private void noteBasics(List<RankPart> parts) {
            if (!files.configFound()) {
                notes.add(Note.information(
                        "fsdp_config.json is missing: world size " + files.worldSize() + " taken from the file names"));
            }
            damaged.forEach((rank, what) -> notes.add(Note.information("rank " + rank + " cannot be read: " + what)));
            List<RankPart> byTime = parts.stream()
                    .sorted(Comparator.comparingLong((RankPart p) -> p.file().modifiedMillis()))
                    .toList();
            if (byTime.size() > 1) {
                long oldest = byTime.getFirst().file().modifiedMillis();
                long newest = byTime.getLast().file().modifiedMillis();
                if (newest - oldest > MIXED_SAVE_MILLIS) {
                    notes.add(Note.information(
                            "mixed save times: " + byTime.getFirst().file().name() + " is "
                                    + (newest - oldest) / 60_000 + " minutes older than "
                                    + byTime.getLast().file().name()));
                }
            }
        }

        private String format(List<RankPart> parts) {
            boolean sharded =
                    parts.stream().flatMap(p -> p.values().values().stream()).anyMatch(ShardedTensor.class::isInstance);
            String version = files.fsdpVersion().map(String::valueOf).orElse(sharded ? "1" : "");
            return "FSDP" + version;
        }

        private Optional<DeviceMesh> mesh(List<RankPart> parts) {
            if (options.mesh().isPresent()) {
                return options.mesh().map(m -> m.mesh());
            }
            return parts.stream()
                    .limit(1)
                    .flatMap(p -> p.values().values().stream())
                    .filter(DTensor.class::isInstance)
                    .map(v -> ((DTensor) v).mesh())
                    .max(Comparator.comparingInt(DeviceMesh::size).thenComparingInt(DeviceMesh::ndim));
        }

        private List<ShardFile> shardFiles(List<RankPart> parts) {
            Map<Integer, RankPart> byRank = new LinkedHashMap<>();
            parts.forEach(p -> byRank.put(p.rank(), p));
            List<ShardFile> list = new ArrayList<>();
            for (int rank = 0; rank < files.worldSize(); rank++) {
                RankPart part = byRank.get(rank);
                Path path = files.byRank().get(rank);
                if (part != null) {
                    int tensors = (int) part.values().values().stream()
                            .filter(v -> !(v instanceof TorchValue.Other))
                            .count();
                    list.add(new ShardFile(
                            part.file().path(),
                            OptionalInt.of(rank),
                            tensors,
                            part.file().byteCount(),
                            part.file().modifiedMillis(),
                            "ok"));
                } else if (path != null) {
                    list.add(new ShardFile(path, OptionalInt.of(rank), 0, size(path), 0, "damaged"));
                } else {
                    Path expected = directories
                            .getFirst()
                            .resolve("model_world_size_" + files.worldSize() + "_rank_" + rank + ".pt");
                    list.add(new ShardFile(expected, OptionalInt.of(rank), 0, 0, 0, "missing"));
                }
            }
            return list;
        }

        private static long size(Path path) {
            try {
                return Files.size(path);
            } catch (IOException e) {
                return 0;
            }
        }

        private static SequencedMap<Integer, StateDict> rankViews(List<RankPart> parts) {
            SequencedMap<Integer, StateDict> views = new LinkedHashMap<>();
            for (RankPart part : parts) {
                SequencedMap<String, Tensor> locals = new LinkedHashMap<>();
                part.values().forEach((name, value) -> local(value).ifPresent(t -> locals.put(name, t)));
                views.put(part.rank(), StateDict.of(locals));
            }
            return views;
        }

        private static Optional<StridedTensor> local(TorchValue value) {
            return switch (value) {
                case DTensor distributed -> Optional.of(distributed.local());
                case TorchValue.Plain plain -> Optional.of(plain.tensor());
                case ShardedTensor sharded -> sharded.locals().stream().findFirst();
                case TorchValue.Other other -> Optional.empty();
            };
        }
    }
}
