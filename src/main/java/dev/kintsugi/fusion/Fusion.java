package dev.kintsugi.fusion;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.StateDict;
import dev.kintsugi.tensor.Tensor;
import dev.kintsugi.tensor.TensorSpec;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.SequencedSet;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.function.ToDoubleFunction;

/// What is fused how: a method, its models, perhaps a base, options, and the tensors it applies to.
///
/// `options` are asked in order after a model's own. Tensors outside `selection` come unchanged from `rest`,
/// by default the first model. The target dtype is each tensor's in the first model unless given. `positions`
/// says where a tensor stands among the layers, 0 to 1, for gradients; by default its name tells.
/// **Errors.** [Fault] `K7002` for options and models that do not fit the method.
public record Fusion(
        Method method,
        List<Input> inputs,
        Optional<Input> base,
        List<Map<String, Setting>> options,
        Predicate<String> selection,
        Optional<StateDict> rest,
        Optional<DType> dtype,
        Optional<ToDoubleFunction<String>> positions,
        boolean allowNonFinite) {
    public Fusion {
        inputs = List.copyOf(inputs);
        options = options.stream().map(Fusion::canonical).toList();
        inputs = inputs.stream()
                .map(i -> new Input(i.name(), i.model(), canonical(i.parameters())))
                .toList();
        checkModels(method, inputs.size(), base.isPresent());
        StateDict first = inputs.getFirst().model();
        Once<ToDoubleFunction<String>> byName = new Once<>(() -> Layers.positions(first.names()));
        positions = positions.or(() -> Optional.of(name -> byName.get().applyAsDouble(name)));
        options.forEach(level -> level.keySet().forEach(method::option));
        inputs.forEach(input -> input.parameters().keySet().forEach(name -> checkPerModel(method, name)));
    }

    private static Map<String, Setting> canonical(Map<String, Setting> options) {
        Map<String, Setting> renamed = new LinkedHashMap<>();
        options.forEach((name, value) -> renamed.put(name.replace('-', '_'), value));
        return Map.copyOf(renamed);
    }

    /// A fusion of whole models with default options.
    public static Fusion of(Method method, List<Input> inputs, Optional<Input> base) {
        return new Fusion(
                method,
                inputs,
                base,
                List.of(),
                name -> true,
                Optional.empty(),
                Optional.empty(),
                Optional.empty(),
                false);
    }

    /// The same with options that are asked before those it has.
    public Fusion withOptions(Map<String, Setting> more) {
        List<Map<String, Setting>> levels = new ArrayList<>();
        levels.add(more);
        levels.addAll(options);
        return new Fusion(method, inputs, base, levels, selection, rest, dtype, positions, allowNonFinite);
    }

    /// The same for the tensors whose name `selected` takes.
    public Fusion withSelection(Predicate<String> selected) {
        return new Fusion(method, inputs, base, options, selected, rest, dtype, positions, allowNonFinite);
    }

    /// The same with the tensors outside the selection from `model`.
    public Fusion withRest(StateDict model) {
        return new Fusion(
                method, inputs, base, options, selection, Optional.of(model), dtype, positions, allowNonFinite);
    }

    /// The same, rounded to `target`.
    public Fusion withDtype(DType target) {
        return new Fusion(
                method, inputs, base, options, selection, rest, Optional.of(target), positions, allowNonFinite);
    }

    /// The same with another notion of where a tensor stands among the layers.
    public Fusion withPositions(ToDoubleFunction<String> places) {
        return new Fusion(method, inputs, base, options, selection, rest, dtype, Optional.of(places), allowNonFinite);
    }

    /// The same with NaN and Inf written, not refused.
    public Fusion allowingNonFinite() {
        return new Fusion(method, inputs, base, options, selection, rest, dtype, positions, true);
    }

    private static void checkModels(Method method, int models, boolean hasBase) {
        if (models < method.leastModels() || models > method.mostModels()) {
            String wanted = method.leastModels() == method.mostModels()
                    ? "" + method.leastModels()
                    : method.mostModels() == Integer.MAX_VALUE
                            ? "at least " + method.leastModels()
                            : method.leastModels() + " to " + method.mostModels();
            throw new Fault(
                    Code.K7002,
                    method.name() + " got " + models + " models",
                    "it takes " + wanted + (method.base() == Method.Base.REQUIRED ? " besides the base" : ""),
                    "look at it with: methods " + method.name());
        }
        if (method.base() == Method.Base.REQUIRED && !hasBase) {
            throw new Fault(
                    Code.K7002,
                    method.name() + " got no base",
                    "it works with the models' changes from a base",
                    "name the model they were trained from with --base");
        }
        if (method.base() == Method.Base.NONE && hasBase) {
            throw new Fault(
                    Code.K7002,
                    method.name() + " got a base",
                    "it has no use for one",
                    "leave --base out, or name that model among the others");
        }
    }

    private static void checkPerModel(Method method, String name) {
        if (!method.option(name).perModel()) {
            throw new Fault(
                    Code.K7002,
                    name + " of " + method.name() + " was given for one model",
                    "it holds for the whole fusion",
                    "give it once");
        }
    }

    /// The fused model. Nothing is read but names and shapes.
    ///
    /// **Errors.** [Fault] `K7003` if the models' selected tensors differ in name, kind or shape; `K7002`.
    public StateDict fuse() {
        boolean concatenates = method.maker() == Concatenation.MAKER;
        List<Input> all = new ArrayList<>(inputs);
        base.ifPresent(all::add);
        SequencedSet<String> names = Agreement.names(all, selection, !concatenates);
        Map<String, Tensor> fused = new LinkedHashMap<>();
        if (concatenates) {
            for (String name : names) {
                long dim = (long) parameters(name, n -> 0).number("dim");
                fused.put(name, Concatenation.of(name, inputs, dim));
            }
        } else {
            compute(names, all, fused);
        }
        Map<String, Tensor> result = new LinkedHashMap<>();
        rest.orElse(inputs.getFirst().model()).tensors().forEach((name, tensor) -> {
            Tensor computed = fused.remove(name);
            result.put(name, computed == null ? tensor : computed);
        });
        result.putAll(fused);
        return StateDict.of(result);
    }

    private void compute(SequencedSet<String> names, List<Input> all, Map<String, Tensor> fused) {
        ToDoubleFunction<String> places = places();
        List<Task> tasks = new ArrayList<>();
        for (String name : names) {
            TensorSpec spec = inputs.getFirst().model().tensor(name).spec();
            if (spec.dtype().isFloat()) {
                all.forEach(model -> checkPlain(name, model));
                tasks.add(task(name, places));
            } else {
                fused.put(name, new EqualTensor(name, all));
            }
        }
        if (tasks.isEmpty()) {
            return;
        }
        tasks.forEach(task -> task.parameters().check());
        Function<Task, Kernel> kernels = method.maker().open(tasks);
        for (Task task : tasks) {
            Tensor first = task.sources().inputs().getFirst();
            DType target = dtype.orElse(first.spec().dtype());
            boolean unchanged = method.name().equals("passthrough")
                    && task.parameters().numberIfGiven(0, "scale").isEmpty()
                    && target == first.spec().dtype();
            fused.put(
                    task.name(),
                    unchanged
                            ? first
                            : new FusedTensor(
                                    task, new TensorSpec(target, task.shape()), kernels.apply(task), allowNonFinite));
        }
    }

    /// The number that `option` has for the model `model`, counted from 0, at the tensor `name`; nothing where
    /// the method has no such number.
    public OptionalDouble number(String name, int model, String option) {
        if (method.findOption(option).filter(o -> o.kind() != Option.Kind.WORD).isEmpty()) {
            return OptionalDouble.empty();
        }
        return parameters(name, places()).numberIfGiven(model, option);
    }

    private ToDoubleFunction<String> places() {
        return positions.orElseThrow();
    }

    private Parameters parameters(String name, ToDoubleFunction<String> places) {
        return new Parameters(method, inputs, options, name, places.applyAsDouble(name));
    }

    private Task task(String name, ToDoubleFunction<String> places) {
        List<Tensor> tensors = inputs.stream().map(i -> i.model().tensor(name)).toList();
        Optional<Tensor> origin = base.map(b -> b.model().tensor(name));
        return new Task(
                name,
                tensors.getFirst().spec().shape(),
                new Sources(tensors, origin),
                parameters(name, places),
                inputs.stream().map(Input::name).toList(),
                base.map(Input::name).orElse(""));
    }

    private static void checkPlain(String name, Input model) {
        DType dtype = model.model().tensor(name).spec().dtype();
        if (dtype.byteWidth() == 1) {
            throw new Fault(
                    Code.K4014,
                    name + " of " + model.name() + " is " + dtype,
                    "8-bit floats come with scales of their own; averaging them without gives other weights",
                    "fuse a model with unquantised weights, or leave the tensor out with --layers");
        }
    }
}
