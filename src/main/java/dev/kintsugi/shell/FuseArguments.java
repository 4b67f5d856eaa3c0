package dev.kintsugi.shell;

import dev.kintsugi.architecture.Config;
import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fusion.Fusion;
import dev.kintsugi.fusion.Input;
import dev.kintsugi.fusion.Method;
import dev.kintsugi.fusion.Methods;
import dev.kintsugi.fusion.Option;
import dev.kintsugi.fusion.Setting;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.StateDict;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;
import java.util.TreeMap;

/// The words of `fuse METHOD MODEL…` as a fusion.
final class FuseArguments {
    static final List<OptionSpec> OPTIONS = options();
    private static final List<String> NOT_ITS_OWN = List.of("preview", "redefine", "format", "help", "as");

    private final Invocation call;
    private final Method method;
    private final List<ParentModel> models;
    private final Optional<ParentModel> base;
    private final Optional<ParentModel> rest;

    private FuseArguments(Invocation call) {
        this.call = call;
        if (call.words().size() < 2) {
            throw new Fault(
                    Code.K1003,
                    call.words().isEmpty() ? "fuse needs a method and its models" : "fuse needs models",
                    "usage: fuse METHOD MODEL… --as NAME",
                    "for example: fuse weighted-average actor critic --as blend; see: methods");
        }
        this.method = Methods.named(call.word(0));
        OptionalDouble alpha = HubArguments.alpha(call);
        Session session = call.session();
        this.models = ParentModel.all(call.words().subList(1, call.words().size()), alpha, session);
        this.base = call.value("base").map(name -> ParentModel.one(name, alpha, session));
        this.rest = call.value("rest").map(name -> ParentModel.one(name, alpha, session));
    }

    private static List<OptionSpec> options() {
        List<OptionSpec> options = new ArrayList<>();
        options.add(OptionSpec.value("as", "NAME", ValueKind.TEXT, "the name of the result"));
        options.add(OptionSpec.value("base", "MODEL", ValueKind.MODEL, "the model the others were trained from"));
        options.add(OptionSpec.many(
                "weights", "W,…", ValueKind.TEXT, "0.3,0.7 or a=0.3,b=0.7 or a=0.2..0.8 or 'a@layers.0.**=0.9'"));
        options.add(OptionSpec.many("layers", "SEL", ValueKind.SELECTOR, "fuse these tensors only"));
        options.add(OptionSpec.value("rest", "MODEL", ValueKind.MODEL, "whose the other tensors are; the first's"));
        options.add(OptionSpec.choice(
                "dtype", List.of("keep", "bf16", "f16", "f32", "f64"), "what results are rounded to; keep"));
        options.add(OptionSpec.flag("allow-non-finite", "write NaN and infinities instead of refusing them"));
        options.add(OptionSpec.value("lora-alpha", "N", ValueKind.TEXT, "alpha of the adapters, where no file says"));
        options.add(OptionSpec.value("preview", "TENSOR", ValueKind.TENSOR, "show one result; define nothing"));
        options.add(OptionSpec.value("from", "YML", ValueKind.PATH, "read a mergekit configuration"));
        options.add(OptionSpec.flag("crop-vocabulary", "with --from: cut embeddings to the rows all models have"));
        options.add(OptionSpec.flag("redefine", "take the place of the fusion of that name"));
        options.add(OptionSpec.many("option", "name=value", ValueKind.TEXT, "an option of the method, as below"));
        methodOptions().forEach((name, methods) -> {
            Option option = Methods.named(methods.getFirst()).findOption(name).orElseThrow();
            options.add(OptionSpec.many(
                    name.replace('_', '-'),
                    option.kind() == Option.Kind.FLAG ? "true|false" : option.kind() == Option.Kind.WORD ? "WORD" : "N",
                    ValueKind.TEXT,
                    option.help() + (methods.size() > 3 ? "" : " (" + String.join(", ", methods) + ")")));
        });
        return List.copyOf(options);
    }

    /// Every option that some method has, with the methods.
    private static Map<String, List<String>> methodOptions() {
        Map<String, List<String>> options = new TreeMap<>();
        for (Method method : Methods.all()) {
            method.options()
                    .forEach(o -> options.computeIfAbsent(o.name(), n -> new ArrayList<>())
                            .add(method.name()));
        }
        return options;
    }

    /// The fusion that `call` asks for, named `name`.
    ///
    /// **Errors.** [Fault] `K1003`, `K1004`, `K1005`, `K7001`, `K7002`, `K7003`.
    static FusedModel define(Invocation call, String name) {
        return new FuseArguments(call).model(name);
    }

    private FusedModel model(String name) {
        Model face = face();
        FuseValues values = values();
        Fusion fusion = fusion(values, face);
        Vocabulary.refuseLoss(method, models, base, fusion.selection(), face, false);
        List<ParentModel> parents = new ArrayList<>(models);
        base.ifPresent(parents::add);
        rest.filter(r -> parents.stream().noneMatch(p -> p.name().equals(r.name())))
                .ifPresent(parents::add);
        return new FusedModel(
                name,
                command(name),
                new FusedModel.Parents(parents, face),
                Optional.of(fusion),
                fusion.fuse(),
                FaceChanges.NONE);
    }

    /// The model whose `config.json` and tokenizer the result has: the rest's or the first's, or where that has
    /// none, that of another.
    private Model face() {
        List<ParentModel> order = new ArrayList<>();
        rest.ifPresent(order::add);
        order.addAll(models);
        base.ifPresent(order::add);
        Model first = order.getFirst().models().getFirst();
        Model face = order.stream()
                .map(p -> p.models().getFirst())
                .filter(m -> m.sidecars().isPresent())
                .findFirst()
                .orElse(first);
        if (face != first) {
            call.console()
                    .note("config.json and tokenizer are those of " + face.name() + "; " + first.name() + " has none");
        }
        return face;
    }

    private FuseValues values() {
        List<String> names = models.stream().map(ParentModel::name).toList();
        FuseValues values = new FuseValues(method, names, models.getFirst().tensors());
        for (String text : call.values("option")) {
            int equals = text.indexOf('=');
            if (equals < 1) {
                throw new Fault(
                        Code.K7002,
                        "--option " + text + " has no value",
                        "it is the name of an option, =, and its value",
                        "write for example --option density=0.5");
            }
            values.add(text.substring(0, equals), text.substring(equals + 1));
        }
        call.values("weights").forEach(text -> values.add("weights", text));
        for (String option : methodOptions().keySet()) {
            call.values(option.replace('_', '-')).forEach(text -> values.add(option.replace('_', '-'), text));
        }
        return values;
    }

    private Fusion fusion(FuseValues values, Model face) {
        List<Input> inputs = models.stream()
                .map(m -> new Input(m.name(), m.tensors(), values.of(m.name())))
                .toList();
        Map<String, Setting> shared = new LinkedHashMap<>(values.shared());
        if (method.findOption("head_dim").isPresent() && !values.has("head_dim")) {
            headDim(face).ifPresent(size -> shared.put("head_dim", Setting.of(size)));
        }
        Fusion fusion = Fusion.of(method, inputs, base.map(b -> Input.of(b.name(), b.tensors())))
                .withOptions(shared);
        if (call.has("layers")) {
            StateDict first = models.getFirst().tensors();
            fusion = fusion.withSelection(FuseValues.tensors(call.values("layers"), first));
        }
        if (rest.isPresent()) {
            fusion = fusion.withRest(rest.get().tensors());
        }
        Optional<DType> dtype =
                call.value("dtype").filter(d -> !d.equalsIgnoreCase("keep")).flatMap(DType::parse);
        if (dtype.isPresent()) {
            fusion = fusion.withDtype(dtype.get());
        }
        return call.has("allow-non-finite") ? fusion.allowingNonFinite() : fusion;
    }

    /// Elements of an attention head, as `config.json` says.
    static OptionalLong headDim(Model face) {
        Optional<Config> config = face.hub().config();
        Optional<Long> said = config.flatMap(c -> c.integer("head_dim"));
        Optional<Long> hidden = config.flatMap(c -> c.integer("hidden_size"));
        Optional<Long> heads = config.flatMap(c -> c.integer("num_attention_heads"));
        if (said.isEmpty() && hidden.isPresent() && heads.isPresent() && heads.get() > 0) {
            return OptionalLong.of(hidden.get() / heads.get());
        }
        return said.map(OptionalLong::of).orElse(OptionalLong.empty());
    }

    private String command(String name) {
        StringBuilder text = new StringBuilder("fuse");
        call.words().forEach(w -> text.append(' ').append(Tokenizer.quote(w)));
        text.append(" --as ").append(name);
        call.options().forEach((option, values) -> {
            boolean flag = OPTIONS.stream().anyMatch(o -> o.name().equals(option) && o.isFlag());
            for (String value : NOT_ITS_OWN.contains(option) ? List.<String>of() : values) {
                text.append(" --").append(option).append(flag ? "" : " " + Tokenizer.quote(value));
            }
        });
        return text.toString();
    }
}
