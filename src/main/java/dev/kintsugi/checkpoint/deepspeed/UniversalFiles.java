package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.checkpoint.MappedFiles;
import dev.kintsugi.checkpoint.deepspeed.FlatRun.Slice;
import dev.kintsugi.checkpoint.deepspeed.OptimizerOpening.Settings;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.torch.Pickled;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchFile;
import dev.kintsugi.torch.TorchReader;
import dev.kintsugi.torch.TorchValue;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// The `zero` directory of a universal checkpoint: a directory a parameter, with a file a state.
///
/// A file holds `{"param": tensor}`, whole, where it was made of stage 1 or 2. Of stage 3 it is a bare 1-D
/// tensor, of which the first elements count: the converter may leave the padding of ranks beyond the
/// parameter's end.
record UniversalFiles(Path directory, int savedWorldSize) {

    /// The names of the parameters.
    Set<String> parameters() {
        try (Stream<Path> list = Files.list(directory)) {
            return list.filter(Files::isDirectory)
                    .map(p -> String.valueOf(p.getFileName()))
                    .collect(Collectors.toCollection(TreeSet::new));
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003,
                    directory + ": cannot be listed",
                    "the system says: " + e.getMessage(),
                    "check the path and its permissions",
                    e);
        }
    }

    Path file(String parameter, String state) {
        return directory.resolve(parameter).resolve(state + ".pt");
    }

    /// The states that parameter `name` has a file of, in order: `exp_avg`, `exp_avg_sq`, `fp32`, `step`.
    List<String> states(String name) {
        try (Stream<Path> list = Files.list(directory.resolve(name))) {
            return list.map(p -> String.valueOf(p.getFileName()))
                    .filter(n -> n.endsWith(".pt"))
                    .map(n -> n.substring(0, n.length() - 3))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            return List.of();
        }
    }

    /// What the file of `state` holds.
    ///
    /// **Errors.** [Fault] `K3001` if it is not there, `K2204` if it holds no tensor.
    Stored read(String name, String state, MappedFiles mapped) {
        Path path = file(name, state);
        if (!Files.isRegularFile(path)) {
            throw new Fault(
                    Code.K3001,
                    path + " is missing, though the model states name " + name,
                    "the conversion did not finish, or only a part was copied",
                    "copy it here, or open the tag that it was converted from");
        }
        MappedFile file = mapped.open(path);
        try {
            return Stored.of(-1, file, tensor(TorchFile.open(file)));
        } catch (Fault fault) {
            throw fault.at(name + "/" + state + ".pt");
        }
    }

    private static StridedTensor tensor(TorchFile file) {
        PickleValue value = file.root();
        Optional<Dict> dict = Pickled.dict(value);
        if (dict.isPresent()) {
            value = Pickled.require(dict.get(), "a universal parameter", "param");
        }
        if (new TorchReader(file, OptionalInt.empty()).read(value) instanceof TorchValue.Plain plain) {
            return plain.tensor();
        }
        throw Pickled.fault("a universal parameter that is no tensor but " + Pickled.describe(value));
    }

    /// The elements of `stored` that make parameter `name` of `shape`.
    ///
    /// **Errors.** [Fault] `K3102` if it is of another size.
    Slice slice(String name, Shape shape, Stored stored) {
        Shape found = stored.tensor().spec().shape();
        long count = shape.elementCount();
        long padded = Math.multiplyExact(Math.ceilDiv(count, (long) savedWorldSize), (long) savedWorldSize);
        boolean fits = found.equals(shape)
                || (found.ndim() == 1 && found.dim(0) >= count && found.dim(0) <= Math.max(count, padded));
        if (!fits) {
            throw new Fault(
                    Code.K3102,
                    name + ": " + stored.file() + " holds " + stored.tensor().spec() + ", the model states say "
                            + shape,
                    "the files are of different conversions, or tensor parallel ranks were joined",
                    "convert the checkpoint again");
        }
        return new Slice(-1, Optional.of(stored), 0, count, found.elementCount() - count);
    }

    /// What `optimizer_state.pt` says of the groups of parameters, if it is there.
    Optional<Settings> settings(MappedFiles mapped, List<List<String>> groups) {
        Path path = directory.resolve("optimizer_state.pt");
        if (!Files.isRegularFile(path)) {
            return Optional.empty();
        }
        TorchFile file = TorchFile.open(mapped.open(path));
        return Pickled.dict(file.root()).map(d -> new Settings(d, new TorchReader(file, OptionalInt.empty()), groups));
    }
}
