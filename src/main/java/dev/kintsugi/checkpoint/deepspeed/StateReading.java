package dev.kintsugi.checkpoint.deepspeed;

import dev.kintsugi.numeric.Elements;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.torch.Pickled;
import dev.kintsugi.torch.StridedTensor;
import dev.kintsugi.torch.TorchReader;
import dev.kintsugi.torch.TorchValue;
import java.lang.foreign.MemorySegment;
import java.math.BigInteger;
import java.util.LinkedHashMap;
import java.util.Optional;
import java.util.SequencedMap;

/// What an optimizer keeps of each flat buffer, or of each parameter.
final class StateReading {
    private StateReading() {}

    /// How many steps were made, as the first entry of the optimizer's state says.
    static Optional<Long> step(OptimizerStates states) {
        return states.base()
                .flatMap(StateReading::entries)
                .flatMap(s -> s.values().stream().findFirst())
                .flatMap(Pickled::dict)
                .flatMap(e -> Pickled.field(e, "step"))
                .flatMap(v -> number(states.reader(), v));
    }

    /// A whole number, or a tensor of one element that holds one.
    private static Optional<Long> number(TorchReader reader, PickleValue value) {
        if (value instanceof PickleValue.Int) {
            return Optional.of(Pickled.number(value, "a step"));
        }
        return reader.read(value) instanceof TorchValue.Plain plain
                        && plain.tensor().spec().elementCount() == 1
                ? Optional.of((long) scalar(plain.tensor()))
                : Optional.empty();
    }

    private static double scalar(Tensor tensor) {
        MemorySegment bytes =
                MemorySegment.ofArray(new byte[tensor.spec().dtype().byteWidth()]);
        tensor.read(0, 1, bytes);
        double[] value = new double[1];
        Elements.toDoubles(tensor.spec().dtype(), bytes, value, 1);
        return value[0];
    }

    private static Optional<Dict> entries(Dict base) {
        return Pickled.field(base, "state").flatMap(Pickled::dict);
    }

    /// The tensors of entry `index` of `base`, by the name of the state: `step`, `exp_avg`, `exp_avg_sq`, ….
    static SequencedMap<String, StridedTensor> tensors(TorchReader reader, Dict base, int index) {
        SequencedMap<String, StridedTensor> tensors = new LinkedHashMap<>();
        Optional<Dict> entry = entries(base).flatMap(s -> at(s, index)).flatMap(Pickled::dict);
        if (entry.isPresent()) {
            Dict values = entry.get();
            for (int i = 0; i < values.size(); i++) {
                String name = Pickled.text(values.keys().get(i), "the name of an optimizer's state");
                if (reader.read(values.values().get(i)) instanceof TorchValue.Plain plain) {
                    tensors.put(name, plain.tensor());
                }
            }
        }
        return tensors;
    }

    private static Optional<PickleValue> at(Dict dict, int index) {
        PickleValue.Int wanted = new PickleValue.Int(BigInteger.valueOf(index));
        for (int i = 0; i < dict.size(); i++) {
            if (dict.keys().get(i).equals(wanted)) {
                return Optional.of(dict.values().get(i));
            }
        }
        return Optional.empty();
    }
}
