package dev.kintsugi.checkpoint;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.numeric.Elements;
import dev.kintsugi.pickle.PickleValue;
import dev.kintsugi.pickle.PickleValue.Bool;
import dev.kintsugi.pickle.PickleValue.Bytes;
import dev.kintsugi.pickle.PickleValue.Call;
import dev.kintsugi.pickle.PickleValue.Dict;
import dev.kintsugi.pickle.PickleValue.Global;
import dev.kintsugi.pickle.PickleValue.Int;
import dev.kintsugi.pickle.PickleValue.None;
import dev.kintsugi.pickle.PickleValue.PersistentId;
import dev.kintsugi.pickle.PickleValue.Real;
import dev.kintsugi.pickle.PickleValue.Sequence;
import dev.kintsugi.pickle.PickleValue.Text;
import dev.kintsugi.pickle.PickleValue.Tuple;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.torch.Pickled;
import dev.kintsugi.torch.TorchReader;
import dev.kintsugi.torch.TorchValue;
import java.lang.foreign.MemorySegment;
import java.util.List;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// Values of a pickle as JSON, for settings that a person reads: learning rates, schedulers, scalers.
///
/// A tensor of one element is its number, a larger one its dtype and shape; an object is its fields with its
/// class under `class`; bytes are counted. What lies deeper than 32 levels is named, not followed: a pickle
/// may hold cycles. **Errors.** [Fault] `K2202` for more values than settings have.
public final class PickledJson {
    private static final int MAX_DEPTH = 32;
    private static final int MAX_NODES = 10_000_000;
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private final TorchReader reader;
    private int nodes;

    /// A converter of values of the file that `reader` reads.
    public PickledJson(TorchReader reader) {
        this.reader = reader;
    }

    public JsonNode of(PickleValue value) {
        return of(value, 0);
    }

    private JsonNode of(PickleValue value, int depth) {
        if (++nodes > MAX_NODES) {
            throw new Fault(
                    Code.K2202,
                    "settings of more than " + MAX_NODES + " values",
                    "values that hold one another many times over",
                    "do not trust this file");
        }
        if (depth > MAX_DEPTH) {
            return NODES.stringNode(Pickled.describe(value));
        }
        return switch (value) {
            case None n -> NODES.nullNode();
            case Bool b -> NODES.booleanNode(b.value());
            case Int i -> integer(i);
            case Real r -> NODES.numberNode(r.value());
            case Text t -> NODES.stringNode(t.value());
            case Bytes b -> NODES.stringNode(Pickled.describe(b));
            case Global g -> NODES.stringNode(g.path());
            case PersistentId p -> NODES.stringNode(Pickled.describe(p));
            case Tuple t -> array(t.items(), depth);
            case Sequence s -> array(s.items(), depth);
            case Dict d -> object(d, depth);
            case Call c -> call(c, depth);
        };
    }

    private static JsonNode integer(Int number) {
        return number.value().bitLength() < 64
                ? NODES.numberNode(number.value().longValueExact())
                : NODES.numberNode(number.value());
    }

    private JsonNode array(List<PickleValue> items, int depth) {
        ArrayNode array = NODES.arrayNode();
        items.forEach(item -> array.add(of(item, depth + 1)));
        return array;
    }

    private ObjectNode object(Dict dict, int depth) {
        ObjectNode object = NODES.objectNode();
        for (int i = 0; i < dict.size(); i++) {
            PickleValue key = dict.keys().get(i);
            String name = key instanceof Text text ? text.value() : Pickled.describe(key);
            object.set(name, of(dict.values().get(i), depth + 1));
        }
        return object;
    }

    private JsonNode call(Call call, int depth) {
        if (reader.read(call) instanceof TorchValue.Plain plain) {
            return tensor(plain.tensor());
        }
        if (call.path().equals("collections.OrderedDict")) {
            return object(call.items(), depth);
        }
        if (call.path().equals("torch.Size")) {
            return array(Pickled.items(call, "a size"), depth);
        }
        ObjectNode object = NODES.objectNode();
        object.put("class", call.path());
        if (call.arguments() instanceof Tuple arguments && !arguments.items().isEmpty()) {
            object.set("arguments", array(arguments.items(), depth));
        }
        for (PickleValue state : call.states()) {
            if (state instanceof Dict fields) {
                object.setAll(object(fields, depth));
            } else {
                object.set("state", of(state, depth + 1));
            }
        }
        return object;
    }

    private static JsonNode tensor(Tensor tensor) {
        DType dtype = tensor.spec().dtype();
        if (tensor.spec().elementCount() != 1 || dtype == DType.C64) {
            return NODES.stringNode(tensor.spec().toString());
        }
        MemorySegment bytes = MemorySegment.ofArray(new byte[dtype.byteWidth()]);
        tensor.read(0, 1, bytes);
        double[] number = new double[1];
        Elements.toDoubles(dtype, bytes, number, 1);
        return dtype.isFloat() ? NODES.numberNode(number[0]) : NODES.numberNode((long) number[0]);
    }
}
