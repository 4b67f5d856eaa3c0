package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A recipe as it stands in its file: parameters, and lines with `\` continuations joined.
///
/// @param parameters their defaults as they stand in the file; empty where a value must be given
record Recipe(Path path, SequencedMap<String, Optional<String>> parameters, List<Line> lines) {
    private static final Pattern PARAMETER = Pattern.compile("param\\s+([A-Za-z_]\\w*)\\s*(?:=\\s*(.*))?");

    /// A line and where it begins, counted from 1.
    record Line(int number, String text) {}

    Recipe {
        lines = List.copyOf(lines);
    }

    /// **Errors.** [Fault] `K1010` where the file is not there, `K1006` where a line cannot be read.
    static Recipe read(Path path) {
        String text;
        try {
            text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes(path)))
                    .toString();
        } catch (NoSuchFileException e) {
            throw new Fault(Code.K1010, path + ": no such recipe", "there is no such file", "check the path", e);
        } catch (CharacterCodingException e) {
            throw new Fault(Code.K1006, path + ": no UTF-8 text", "a recipe is lines of text", "check the path", e);
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003, path + ": cannot be read", "the system says: " + e.getMessage(), "check the path", e);
        }
        return parse(path, text);
    }

    /// What `path` holds, which may be a pipe.
    private static byte[] bytes(Path path) throws IOException {
        int most = Limit.RECIPE_BYTES.intValue();
        try (InputStream in = Files.newInputStream(path)) {
            byte[] bytes = in.readNBytes(most);
            if (in.read() >= 0) {
                throw Limit.RECIPE_BYTES.beyond(Code.K1006, path + " has more than " + most + " bytes");
            }
            return bytes;
        }
    }

    static Recipe parse(Path path, String text) {
        SequencedMap<String, Optional<String>> parameters = new LinkedHashMap<>();
        List<Line> lines = new ArrayList<>();
        String[] raw = text.split("\r?\n", -1);
        for (int i = 0; i < raw.length; i++) {
            int number = i + 1;
            StringBuilder joined = new StringBuilder(raw[i]);
            boolean comment = raw[i].stripLeading().startsWith("#");
            while (!comment && endsOpen(joined) && i + 1 < raw.length) {
                i++;
                joined.setLength(joined.length() - 1);
                joined.append(raw[i]);
            }
            String line = joined.toString();
            Matcher parameter = PARAMETER.matcher(line.strip());
            if (parameter.matches()) {
                declare(path, number, parameter, parameters);
            } else if (!line.isBlank() && !line.stripLeading().startsWith("#")) {
                lines.add(new Line(number, line));
            }
        }
        return new Recipe(path, parameters, lines);
    }

    private static boolean endsOpen(CharSequence line) {
        int slashes = 0;
        while (slashes < line.length() && line.charAt(line.length() - 1 - slashes) == '\\') {
            slashes++;
        }
        return slashes % 2 == 1;
    }

    private static void declare(
            Path path, int number, Matcher parameter, SequencedMap<String, Optional<String>> parameters) {
        String name = parameter.group(1);
        Optional<String> value = Optional.ofNullable(parameter.group(2));
        try {
            value.ifPresent(text -> word(name, text, n -> Optional.of("")));
        } catch (Fault fault) {
            throw fault.at(path.getFileName() + ":" + number);
        }
        parameters.put(name, value);
    }

    /// The one word that `text`, a default as it stands in the file, means.
    private static String word(String name, String text, Function<String, Optional<String>> variables) {
        List<List<Tokenizer.Word>> commands = Tokenizer.commands(text, variables);
        if (commands.isEmpty()) {
            return "";
        }
        if (commands.size() > 1 || commands.getFirst().size() > 1) {
            throw new Fault(
                    Code.K1006,
                    "the default of " + name + " is more than one word",
                    "a parameter inserts one word",
                    "put quotes around it");
        }
        return commands.getFirst().getFirst().text();
    }

    /// The values of all parameters, those given over the defaults, and `recipe_dir`.
    ///
    /// **Errors.** [Fault] `K1007` for one that is not declared, or has no value.
    Map<String, String> values(Map<String, String> given) {
        for (String name : given.keySet()) {
            if (!parameters.containsKey(name)) {
                throw new Fault(
                        Code.K1007,
                        path.getFileName() + " has no parameter " + name,
                        parameters.isEmpty()
                                ? "it declares none"
                                : "it declares " + String.join(", ", parameters.keySet()),
                        "leave --set " + name + " out");
            }
        }
        Map<String, String> values = new LinkedHashMap<>();
        Path directory = path.toAbsolutePath().normalize().getParent();
        values.put("recipe_dir", String.valueOf(directory));
        parameters.forEach((name, fallback) -> values.put(
                name,
                Optional.ofNullable(given.get(name))
                        .or(() -> fallback.map(text -> word(name, text, n -> Optional.ofNullable(values.get(n)))))
                        .orElseThrow(() -> new Fault(
                                Code.K1007,
                                path.getFileName() + " needs a value for " + name,
                                "it declares the parameter without a default",
                                "give it with --set " + name + "=VALUE"))));
        return values;
    }
}
