package dev.kintsugi.shell;

import java.util.List;
import java.util.Locale;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.springframework.context.MessageSource;
import org.springframework.context.MessageSourceResolvable;
import org.springframework.context.NoSuchMessageException;
import org.springframework.context.support.AbstractApplicationContext;
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
        context.registerBean(
                AbstractApplicationContext.MESSAGE_SOURCE_BEAN_NAME, MessageSource.class, UntranslatedMessages::new);
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

    /// No translations. Spring's own empty source asks for every locale the system knows, at each start.
    private static final class UntranslatedMessages implements MessageSource {
        @Override
        public @Nullable String getMessage(
                String code, Object @Nullable [] arguments, @Nullable String otherwise, @Nullable Locale locale) {
            return otherwise;
        }

        @Override
        public String getMessage(String code, Object @Nullable [] arguments, @Nullable Locale locale) {
            throw new NoSuchMessageException(code);
        }

        @Override
        public String getMessage(MessageSourceResolvable resolvable, @Nullable Locale locale) {
            String message = resolvable.getDefaultMessage();
            if (message == null) {
                throw new NoSuchMessageException(String.join(", ", resolvable.getCodes()));
            }
            return message;
        }
    }
}
