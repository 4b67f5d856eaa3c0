package dev.kintsugi.torch;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
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
import dev.kintsugi.tensor.Region;
import dev.kintsugi.tensor.Shape;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/// Typed looks at pickled values; a value of another type is a [Fault] `K2204` that says what was expected.
public final class Pickled {
    private Pickled() {}

    /// The items of a tuple, a list or a `torch.Size`.
    public static List<PickleValue> items(PickleValue value, String role) {
        return switch (value) {
            case Tuple tuple -> tuple.items();
            case Sequence sequence -> sequence.items();
            case Call call
            when call.path().equals("torch.Size") && call.arguments() instanceof Tuple arguments ->
                sizes(first(arguments, role), role);
            case None n -> throw unexpected(value, role);
            case Bool b -> throw unexpected(value, role);
            case Int i -> throw unexpected(value, role);
            case Real r -> throw unexpected(value, role);
            case Text t -> throw unexpected(value, role);
            case Bytes b -> throw unexpected(value, role);
            case Global g -> throw unexpected(value, role);
            case PersistentId p -> throw unexpected(value, role);
            case Dict d -> throw unexpected(value, role);
            case Call c -> throw unexpected(value, role);
        };
    }

    /// What a `torch.Size` is made of. Not another one: each may hold the next without end.
    private static List<PickleValue> sizes(PickleValue value, String role) {
        if (value instanceof Tuple || value instanceof Sequence) {
            return items(value, role);
        }
        throw unexpected(value, role);
    }

    private static PickleValue first(Tuple tuple, String role) {
        if (tuple.items().isEmpty()) {
            throw unexpected(tuple, role);
        }
        return tuple.items().getFirst();
    }

    /// The positional arguments of a call.
    public static List<PickleValue> arguments(Call call) {
        return call.arguments() instanceof Tuple tuple
                ? tuple.items()
                : items(call.arguments(), "the arguments of " + call.path());
    }

    /// Argument `index` of a call.
    public static PickleValue argument(Call call, int index) {
        List<PickleValue> arguments = arguments(call);
        if (index >= arguments.size()) {
            throw fault(call.path() + " with " + arguments.size() + " arguments");
        }
        return arguments.get(index);
    }

    public static long number(PickleValue value, String role) {
        if (value instanceof Int number && number.value().bitLength() < 64) {
            return number.value().longValueExact();
        }
        throw unexpected(value, role);
    }

    public static String text(PickleValue value, String role) {
        if (value instanceof Text text) {
            return text.value();
        }
        throw unexpected(value, role);
    }

    /// A shape, offsets or strides: whole numbers, none negative.
    public static Shape shape(PickleValue value, String role) {
        List<PickleValue> items = items(value, role);
        Limit.DIMS.check(items.size(), Code.K2204, () -> role + " of " + items.size() + " dims");
        long[] dims = new long[items.size()];
        for (int i = 0; i < dims.length; i++) {
            dims[i] = number(items.get(i), role);
            if (dims[i] < 0) {
                throw fault(role + " with the negative extent " + dims[i]);
            }
        }
        Shape shape = Shape.of(dims);
        try {
            shape.denseStrides();
            shape.elementCount();
        } catch (ArithmeticException e) {
            throw fault(role + " " + shape + " holds more elements than a file can");
        }
        return shape;
    }

    /// Strides: whole numbers, none negative, as many as a tensor may have dims.
    public static Shape strides(PickleValue value, String role) {
        List<PickleValue> items = items(value, role);
        Limit.DIMS.check(items.size(), Code.K2204, () -> role + " of " + items.size() + " dims");
        long[] strides = new long[items.size()];
        for (int i = 0; i < strides.length; i++) {
            strides[i] = number(items.get(i), role);
            if (strides[i] < 0) {
                throw fault(role + " with the negative stride " + strides[i]);
            }
        }
        return Shape.of(strides);
    }

    /// The box at `offset` of the extent `shape`, `role` in messages.
    public static Region region(Shape offset, Shape shape, String role) {
        if (offset.ndim() != shape.ndim()) {
            throw fault(role + " with offsets " + offset + " and sizes " + shape);
        }
        for (int dim = 0; dim < shape.ndim(); dim++) {
            if (offset.dim(dim) > Long.MAX_VALUE - shape.dim(dim)) {
                throw fault(role + " with offsets " + offset + " and sizes " + shape + ", which no tensor reaches");
            }
        }
        return new Region(offset, shape);
    }

    /// The fields of an object: what `BUILD` was given, as a dict or as torch's pair of dict and slots.
    public static Dict fields(Call call) {
        if (call.states().size() != 1) {
            throw fault(call.path() + " with " + call.states().size() + " states");
        }
        return fields(call.states().getFirst(), call.path());
    }

    /// The fields in `state`: a dict, or a pair whose second or first part is one.
    public static Dict fields(PickleValue state, String role) {
        if (state instanceof Dict dict) {
            return unrepeated(dict);
        }
        if (state instanceof Tuple pair && pair.items().size() == 2) {
            if (pair.items().get(1) instanceof Dict slots && slots.size() > 0) {
                return unrepeated(slots);
            }
            if (pair.items().get(0) instanceof Dict dict) {
                return unrepeated(dict);
            }
            if (pair.items().get(1) instanceof Dict slots) {
                return slots;
            }
        }
        throw unexpected(state, "the state of " + role);
    }

    /// The first of `names` that is a field and not `None`.
    public static Optional<PickleValue> field(Dict fields, String... names) {
        for (String name : names) {
            Optional<PickleValue> value = fields.get(name);
            if (value.isPresent() && !(value.get() instanceof None)) {
                return value;
            }
        }
        return Optional.empty();
    }

    /// The first of `names` that is a field.
    public static PickleValue require(Dict fields, String role, String... names) {
        return field(fields, names).orElseThrow(() -> fault(role + " without " + String.join(" or ", names)));
    }

    /// The entries of a dict or an `OrderedDict`.
    public static Dict entries(PickleValue value, String role) {
        return dict(value).orElseThrow(() -> unexpected(value, role));
    }

    /// The entries of `value` if it is a dict or an `OrderedDict`.
    ///
    /// **Errors.** [Fault] `K4013` where it sets a name twice, `K2204` for an `OrderedDict` that is made of
    /// something, which Python 3 never writes.
    public static Optional<Dict> dict(PickleValue value) {
        if (value instanceof Dict dict) {
            return Optional.of(unrepeated(dict));
        }
        if (!(value instanceof Call call) || !call.path().equals("collections.OrderedDict")) {
            return Optional.empty();
        }
        List<PickleValue> arguments = arguments(call);
        if (!arguments.isEmpty()) {
            throw fault("an OrderedDict made of " + describe(arguments.getFirst()));
        }
        return Optional.of(unrepeated(call.items()));
    }

    private static Dict unrepeated(Dict dict) {
        if (!dict.repeated().isEmpty()) {
            throw twice(dict.repeated());
        }
        return dict;
    }

    public static Call call(PickleValue value, String role) {
        if (value instanceof Call call) {
            return call;
        }
        throw unexpected(value, role);
    }

    static Fault unexpected(PickleValue value, String role) {
        return fault(role + " is " + describe(value));
    }

    /// A dict in which `names` are set twice: Python would keep the later of them and say nothing.
    static Fault twice(Set<String> names) {
        return new Fault(
                Code.K4013,
                "a dict sets " + names.iterator().next() + " twice"
                        + (names.size() > 1 ? ", and " + (names.size() - 1) + " other names too" : ""),
                "no torch writes such a file; Python would quietly keep the later value",
                "do not trust this file; write it again with torch.save");
    }

    public static Fault fault(String what) {
        return new Fault(
                Code.K2204,
                what,
                "the file is damaged, or was written by a torch whose layout is not known",
                "copy the file again, or report the torch version that wrote it");
    }

    /// A call as Python would spell it, its arguments in a few words each: `posix.system("id")`.
    public static String describeCall(Call call) {
        List<PickleValue> arguments =
                call.arguments() instanceof Tuple tuple ? tuple.items() : List.of(call.arguments());
        String listed = arguments.stream().limit(4).map(Pickled::describe).collect(Collectors.joining(", "));
        String callable =
                call.callable() instanceof Global ? shortened(call.path()) : '<' + describe(call.callable()) + '>';
        return callable + "(" + listed + (arguments.size() > 4 ? ", …" : "") + ")";
    }

    static String shortened(String text) {
        return text.length() > 60 ? text.substring(0, 60) + "…" : text;
    }

    /// What a value is, in a few words and without following references.
    public static String describe(PickleValue value) {
        return switch (value) {
            case None n -> "None";
            case Bool b -> b.value() ? "True" : "False";
            case Int i -> i.value().bitLength() < 128 ? i.value().toString() : "a huge number";
            case Real r -> Double.toString(r.value());
            case Text t -> '"' + shortened(t.value()) + '"';
            case Bytes b -> b.value().length + " bytes";
            case Global g -> "the global " + shortened(g.path());
            case PersistentId p -> "a persistent id";
            case Tuple t -> "a tuple of " + t.items().size();
            case Sequence s -> "a list of " + s.items().size();
            case Dict d -> "a dict of " + d.size();
            case Call c -> "a call of " + shortened(c.path());
        };
    }
}
