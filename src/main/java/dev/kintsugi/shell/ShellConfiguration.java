package dev.kintsugi.shell;

import java.util.List;
import java.util.function.Function;
import org.springframework.context.support.GenericApplicationContext;
import org.springframework.shell.core.command.CommandRegistry;

/// The verbs as Spring Shell commands. The registry collects every bean that is a command.
///
/// Beans are made by functions: a start that reads annotations takes twice as long.
final class ShellConfiguration {
    private static final List<Function<Session, Verb>> VERBS = List.of(
            OpenVerb::new,
            ModelVerbs.Close::new,
            ModelVerbs.Models::new,
            ModelVerbs.Use::new,
            WorkspaceVerb::new,
            WorkspaceVerb.Undo::new,
            AliasVerb::new,
            ModelVerbs.Info::new,
            ShardVerbs.Shards::new,
            ShardVerbs.Mesh::new,
            ShardVerbs.Placements::new,
            ShardVerbs.Tensors::new,
            ShowVerb::new,
            StatsVerb::new,
            HistogramVerb::new,
            HeatVerb::new,
            TreeVerb::new,
            DiffVerb::new,
            VerifyVerb::new,
            TestVerb::new,
            DoctorVerb::new,
            ExplainVerb::new,
            FuseVerb::new,
            MethodVerbs.Unfuse::new,
            MethodVerbs.Catalogue::new,
            SuggestVerb::new,
            ValidateVerb::new,
            ExportVerbs.Export::new,
            ExportVerbs.Merge::new,
            RecipeVerbs.Run::new,
            RecipeVerbs.Check::new,
            AssertVerb::new,
            ShellVerbs.Help::new,
            ShellVerbs.Version::new,
            ShellVerbs.Exit::new,
            ShellVerbs.History::new,
            ShellVerbs.Set::new);

    private ShellConfiguration() {}

    static void register(GenericApplicationContext context, Session session) {
        context.registerBean(Session.class, () -> session);
        context.registerBean(CommandRegistry.class, () -> new CommandRegistry());
        context.registerBean(Dispatcher.class, () -> {
            Dispatcher dispatcher = new Dispatcher(context.getBean(CommandRegistry.class), session);
            session.dispatcher(dispatcher);
            return dispatcher;
        });
        VERBS.forEach(make -> {
            Verb verb = make.apply(session);
            context.registerBean(verb.getName(), Verb.class, () -> verb);
        });
    }
}
