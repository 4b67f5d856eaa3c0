package dev.kintsugi.inspect;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.Shape;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// A part of a tensor in Python's notation: `0:4,:8`, `-1`, `...,::2`, with brackets around it or without.
///
/// **Shape.** As numpy: an index drops its dim, a slice keeps it and is cut to the tensor, a negative number
/// counts from the end, a negative step runs backwards, dims not mentioned are whole.
public record TensorSlice(List<Item> items) {
    /// What is said about one dim, or about all that are left over.
    public sealed interface Item {}

    /// One index; its dim goes.
    public record At(long index) implements Item {}

    /// `from:to:step`.
    public record Run(Optional<Long> from, Optional<Long> to, long step) implements Item {}

    /// `...`: as many whole dims as there are left.
    public record Rest() implements Item {}

    /// The indices taken along one dim of the tensor: `first`, `first + step`, ..., `count` of them.
    public record Axis(long first, long step, long count, boolean kept) {}

    public TensorSlice {
        items = List.copyOf(items);
    }

    /// The whole tensor.
    public static TensorSlice all() {
        return new TensorSlice(List.of(new Rest()));
    }

    /// Reads `text`. **Errors.** [Fault] `K1003` if it is no slice.
    public static TensorSlice parse(String text) {
        String inner = text.strip();
        if (inner.startsWith("[") && inner.endsWith("]")) {
            inner = inner.substring(1, inner.length() - 1).strip();
        }
        if (inner.isEmpty()) {
            return all();
        }
        List<Item> items = new ArrayList<>();
        for (String part : inner.split(",", -1)) {
            items.add(item(part.strip(), text));
        }
        if (items.stream().filter(Rest.class::isInstance).count() > 1) {
            throw wrong(text, "'...' may stand there once");
        }
        return new TensorSlice(items);
    }

    private static Item item(String part, String text) {
        if (part.equals("...") || part.equals("…")) {
            return new Rest();
        }
        String[] numbers = part.split(":", -1);
        if (numbers.length > 3) {
            throw wrong(text, "'" + part + "' has more than two colons");
        }
        if (numbers.length == 1) {
            return new At(number(part, text).orElseThrow(() -> wrong(text, "a dim is empty; a whole dim is ':'")));
        }
        long step = numbers.length == 3 ? number(numbers[2], text).orElse(1L) : 1;
        if (step == 0 || step == Long.MIN_VALUE) {
            throw wrong(text, "a step of " + step + " leads nowhere");
        }
        return new Run(number(numbers[0], text), number(numbers[1], text), step);
    }

    private static Optional<Long> number(String text, String slice) {
        String digits = text.strip();
        if (digits.isEmpty()) {
            return Optional.empty();
        }
        try {
            return Optional.of(Long.parseLong(digits));
        } catch (NumberFormatException e) {
            throw wrong(slice, "'" + digits + "' is no index");
        }
    }

    private static Fault wrong(String text, String why) {
        return new Fault(Code.K1003, "slice '" + text + "' cannot be read", why, "write it as in '0:4,:8' or '-1,::2'");
    }

    /// The indices taken along each dim of a tensor of `shape`.
    ///
    /// **Errors.** [Fault] `K1003` for more dims than there are, or an index outside the tensor.
    public List<Axis> axes(Shape shape) {
        List<Axis> axes = new ArrayList<>();
        long given = items.stream().filter(i -> !(i instanceof Rest)).count();
        if (given > shape.ndim()) {
            throw new Fault(
                    Code.K1003,
                    "the slice has " + given + " dims, the tensor " + shape.ndim() + ": " + shape,
                    "each part between commas is one dim",
                    "leave the others out");
        }
        for (Item item : items) {
            switch (item) {
                case Rest _ -> fill(axes, shape, axes.size() + shape.ndim() - (int) given);
                case At at -> axes.add(axis(at, shape.dim(axes.size()), axes.size()));
                case Run run -> axes.add(axis(run, shape.dim(axes.size())));
            }
        }
        fill(axes, shape, shape.ndim());
        return axes;
    }

    private static void fill(List<Axis> axes, Shape shape, int ndim) {
        while (axes.size() < ndim) {
            axes.add(new Axis(0, 1, shape.dim(axes.size()), true));
        }
    }

    private static Axis axis(At at, long extent, int dim) {
        long index = at.index() < 0 ? at.index() + extent : at.index();
        if (index < 0 || index >= extent) {
            throw new Fault(
                    Code.K1003,
                    "index " + at.index() + " is outside dim " + dim + " of " + extent + " elements",
                    "indices run from 0 to " + (extent - 1) + " and from -" + extent + " to -1",
                    "give an index within the tensor");
        }
        return new Axis(index, 1, 1, false);
    }

    private static Axis axis(Run run, long extent) {
        long lowest = run.step() > 0 ? 0 : -1;
        long highest = run.step() > 0 ? extent : extent - 1;
        long from = bound(run.from(), run.step() > 0 ? lowest : highest, extent, lowest, highest);
        long to = bound(run.to(), run.step() > 0 ? highest : lowest, extent, lowest, highest);
        long distance = run.step() > 0 ? to - from : from - to;
        long stride = Math.abs(run.step());
        long count = distance <= 0 ? 0 : (distance - 1) / stride + 1;
        return new Axis(count == 0 ? 0 : from, run.step(), count, true);
    }

    private static long bound(Optional<Long> given, long otherwise, long extent, long lowest, long highest) {
        if (given.isEmpty()) {
            return otherwise;
        }
        long at = given.get() < 0 ? given.get() + extent : given.get();
        return Math.clamp(at, lowest, highest);
    }
}
