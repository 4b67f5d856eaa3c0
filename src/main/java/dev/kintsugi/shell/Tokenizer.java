package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/// Cuts a line into commands and words.
///
/// Blanks separate words, `;` commands; `#` at the start of a word begins a comment; `'…'` keeps everything,
/// `"…"` all but `\` and `$`; `\` keeps the next character. `$name` and `${name}` insert a value into the
/// word, which is never cut again. The same line means the same at the prompt, in a recipe and to completion.
final class Tokenizer {
    /// A word and where it stood in the line.
    record Word(String text, int start, int end, boolean quoted) {}

    /// What a line holds: commands of one word at least, and whether a quote or a `\` at the end asks for more.
    record Line(List<List<Word>> commands, boolean unfinished) {}

    private final String line;
    private final Function<String, Optional<String>> variables;
    private final List<List<Word>> commands = new ArrayList<>();
    private List<Word> words = new ArrayList<>();
    private int at;

    private Tokenizer(String line, Function<String, Optional<String>> variables) {
        this.line = line;
        this.variables = variables;
    }

    /// The commands of `line`. **Errors.** [Fault] `K1006` for a quote that is not closed, `K1007` for an
    /// unknown variable.
    static List<List<Word>> commands(String line, Function<String, Optional<String>> variables) {
        Tokenizer tokenizer = new Tokenizer(line, variables);
        if (tokenizer.run()) {
            throw new Fault(
                    Code.K1006,
                    "the line ends within a quote or with a \\",
                    "a ' or \" is not closed",
                    "close it, or put \\ before it if it is part of the word");
        }
        return tokenizer.commands;
    }

    /// The same for a line that is still being typed: a quote may be open, variables stay as they are.
    static Line typed(String line) {
        Tokenizer tokenizer = new Tokenizer(line, name -> Optional.of("$" + name));
        boolean unfinished = tokenizer.run();
        return new Line(tokenizer.commands, unfinished);
    }

    /// Whether more is needed at the end.
    private boolean run() {
        boolean unfinished = false;
        while (at < line.length()) {
            char c = line.charAt(at);
            if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
                at++;
            } else if (c == '#') {
                at = line.length();
            } else if (c == ';') {
                at++;
                endCommand();
            } else {
                unfinished |= word();
            }
        }
        endCommand();
        return unfinished;
    }

    private void endCommand() {
        if (!words.isEmpty()) {
            commands.add(List.copyOf(words));
            words = new ArrayList<>();
        }
    }

    private boolean word() {
        StringBuilder text = new StringBuilder();
        int start = at;
        boolean quoted = false;
        boolean unfinished = false;
        while (at < line.length() && " \t\r\n;".indexOf(line.charAt(at)) < 0) {
            char c = line.charAt(at);
            if (c == '\'') {
                quoted = true;
                unfinished |= single(text);
            } else if (c == '"') {
                quoted = true;
                unfinished |= twofold(text);
            } else if (c == '\\') {
                unfinished |= escape(text);
            } else if (c == '$') {
                variable(text);
            } else {
                text.append(c);
                at++;
            }
        }
        words.add(new Word(text.toString(), start, at, quoted));
        return unfinished;
    }

    private boolean single(StringBuilder text) {
        int close = line.indexOf('\'', at + 1);
        int end = close < 0 ? line.length() : close;
        text.append(line, at + 1, end);
        at = close < 0 ? end : end + 1;
        return close < 0;
    }

    private boolean twofold(StringBuilder text) {
        at++;
        while (at < line.length()) {
            char c = line.charAt(at);
            if (c == '"') {
                at++;
                return false;
            }
            if (c == '\\' && at + 1 < line.length() && "\"\\$".indexOf(line.charAt(at + 1)) >= 0) {
                text.append(line.charAt(at + 1));
                at += 2;
            } else if (c == '$') {
                variable(text);
            } else {
                text.append(c);
                at++;
            }
        }
        return true;
    }

    private boolean escape(StringBuilder text) {
        at++;
        if (at >= line.length()) {
            return true;
        }
        text.append(line.charAt(at));
        at++;
        return false;
    }

    private void variable(StringBuilder text) {
        at++;
        boolean braces = at < line.length() && line.charAt(at) == '{';
        int from = braces ? at + 1 : at;
        int to = from;
        while (to < line.length() && (Character.isLetterOrDigit(line.charAt(to)) || line.charAt(to) == '_')) {
            to++;
        }
        String name = line.substring(from, to);
        if (name.isEmpty() || braces && (to >= line.length() || line.charAt(to) != '}')) {
            text.append('$');
            return;
        }
        at = braces ? to + 1 : to;
        text.append(variables
                .apply(name)
                .orElseThrow(() -> new Fault(
                        Code.K1007,
                        "there is no parameter " + name,
                        "$" + name + " inserts a value that nothing declares",
                        "declare it with: param " + name + " = VALUE, or write \\$ for a dollar sign")));
    }

    /// `text` as a word that reads back as it is.
    static String quote(String text) {
        boolean plain = !text.isEmpty()
                && text.chars().allMatch(c -> Character.isLetterOrDigit(c) || "_-./:=@,*{}!<>+~%^".indexOf(c) >= 0);
        return plain ? text : "'" + text.replace("'", "'\\''") + "'";
    }
}
