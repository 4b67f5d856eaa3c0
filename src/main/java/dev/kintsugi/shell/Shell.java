package dev.kintsugi.shell;

import dev.kintsugi.fault.Status;
import java.util.List;
import org.springframework.context.support.GenericApplicationContext;

/// A shell that runs lines: the session, its verbs, nothing of a terminal.
public final class Shell implements AutoCloseable {
    private final Session session;
    private final Dispatcher dispatcher;
    private final GenericApplicationContext context;

    private Shell(Session session, GenericApplicationContext context) {
        this.session = session;
        this.context = context;
        this.dispatcher = context.getBean(Dispatcher.class);
    }

    /// A shell that prints on `console`.
    static Shell on(Console console) {
        return on(console, Places.ofProcess());
    }

    /// The same, its own files being at `places`.
    @SuppressWarnings("MustBeClosedChecker") // the context closes with the shell
    static Shell on(Console console, Places places) {
        Session session = new Session(console, places);
        GenericApplicationContext context = new GenericApplicationContext();
        ShellConfiguration.register(context, session);
        context.refresh();
        return new Shell(session, context);
    }

    /// Runs the commands of a line.
    public Status run(String line) {
        return dispatcher.run(line);
    }

    /// Runs one command whose words are already apart, as a process is given them.
    public Status runWords(List<String> words) {
        return dispatcher.runWords(
                words.stream().map(w -> new Tokenizer.Word(w, 0, 0, false)).toList());
    }

    Session session() {
        return session;
    }

    Dispatcher dispatcher() {
        return dispatcher;
    }

    @Override
    public void close() {
        session.close();
        context.close();
    }
}
