package dev.kintsugi.shell;

import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.shell.core.command.CommandRegistry;

/// The verbs as Spring Shell commands. The registry collects every bean that is a command.
@Configuration(proxyBeanMethods = false)
class ShellConfiguration {
    @Bean
    CommandRegistry commandRegistry() {
        return new CommandRegistry();
    }

    @Bean
    Dispatcher dispatcher(CommandRegistry registry, Session session) {
        Dispatcher dispatcher = new Dispatcher(registry, session);
        session.dispatcher(dispatcher);
        return dispatcher;
    }

    @Bean
    Verb open(Session session) {
        return new OpenVerb(session);
    }

    @Bean
    Verb close(Session session) {
        return new ModelVerbs.Close(session);
    }

    @Bean
    Verb models(Session session) {
        return new ModelVerbs.Models(session);
    }

    @Bean
    Verb use(Session session) {
        return new ModelVerbs.Use(session);
    }

    @Bean
    Verb info(Session session) {
        return new ModelVerbs.Info(session);
    }

    @Bean
    Verb shards(Session session) {
        return new ShardVerbs.Shards(session);
    }

    @Bean
    Verb mesh(Session session) {
        return new ShardVerbs.Mesh(session);
    }

    @Bean
    Verb placements(Session session) {
        return new ShardVerbs.Placements(session);
    }

    @Bean
    Verb tensors(Session session) {
        return new ShardVerbs.Tensors(session);
    }

    @Bean
    Verb explain(Session session) {
        return new ExplainVerb(session);
    }

    @Bean
    Verb fuse(Session session) {
        return new FuseVerb(session);
    }

    @Bean
    Verb unfuse(Session session) {
        return new MethodVerbs.Unfuse(session);
    }

    @Bean
    Verb methods(Session session) {
        return new MethodVerbs.Catalogue(session);
    }

    @Bean
    Verb suggest(Session session) {
        return new SuggestVerb(session);
    }

    @Bean
    Verb validate(Session session) {
        return new ValidateVerb(session);
    }

    @Bean
    Verb export(Session session) {
        return new ExportVerbs.Export(session);
    }

    @Bean
    Verb merge(Session session) {
        return new ExportVerbs.Merge(session);
    }

    @Bean
    Verb run(Session session) {
        return new RecipeVerbs.Run(session);
    }

    @Bean
    Verb check(Session session) {
        return new RecipeVerbs.Check(session);
    }

    @Bean
    Verb assertion(Session session) {
        return new AssertVerb(session);
    }

    @Bean
    Verb help(Session session) {
        return new ShellVerbs.Help(session);
    }

    @Bean
    Verb version(Session session) {
        return new ShellVerbs.Version(session);
    }

    @Bean
    Verb exit(Session session) {
        return new ShellVerbs.Exit(session);
    }

    @Bean
    Verb history(Session session) {
        return new ShellVerbs.History(session);
    }

    @Bean
    Verb set(Session session) {
        return new ShellVerbs.Set(session);
    }
}
