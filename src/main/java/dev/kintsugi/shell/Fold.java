package dev.kintsugi.shell;

import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Breaks text between words so that it fits a screen; a word that is wider than the screen stays whole.
final class Fold {
    /// The gap before the last column of a line such as `  sidecars   docs/…`, or the label of a message's line.
    private static final Pattern HANGING = Pattern.compile("^ *(?:\\S+ )*\\S+ {2,}(?=\\S)|^ *(?:why|try|tensors): ");

    private static final String CONTINUED = "  ";
    private static final List<String> BREAKS = List.of(" ./,|", "_-");

    private Fold() {}

    /// `text` in lines of at most `width` columns, none of them indented.
    static List<String> paragraph(String text, int width) {
        return columns(text) <= width ? List.of(text) : lines(text, width, "");
    }

    /// `line` in lines of at most `width` columns; later ones begin where the text of the first does.
    static List<String> line(String line, int width) {
        if (columns(line) <= width) {
            return List.of(line);
        }
        Matcher column = HANGING.matcher(line);
        int own = line.length() - line.stripLeading().length();
        int hanging = column.find() ? column.end() : own + CONTINUED.length();
        return lines(line, width, " ".repeat(hanging <= width / 3 ? hanging : own + CONTINUED.length()));
    }

    private static List<String> lines(String line, int width, String indent) {
        int own = line.length() - line.stripLeading().length();
        List<String> lines = new ArrayList<>();
        StringBuilder open = new StringBuilder();
        boolean empty = true;
        for (String word : line.substring(own).split("(?<= )(?! )", -1)) {
            int columns = columns(open) + columns(word.stripTrailing());
            if (!empty && columns > width) {
                lines.add(open.toString().stripTrailing());
                open.setLength(0);
                open.append(indent);
            } else if (empty) {
                open.append(" ".repeat(own));
            }
            open.append(word);
            empty = false;
        }
        lines.add(open.toString().stripTrailing());
        return lines;
    }

    /// `cell` in pieces of at most `width` columns, broken behind the separators of names where there are any.
    static List<String> cell(String cell, int width) {
        List<String> pieces = new ArrayList<>();
        String rest = cell;
        while (columns(rest) > width) {
            int cut = cut(rest, rest.offsetByCodePoints(0, width));
            pieces.add(rest.substring(0, cut).stripTrailing());
            rest = CONTINUED + rest.substring(cut).stripLeading();
        }
        pieces.add(rest);
        return pieces;
    }

    /// The last place up to `limit` behind a separator, unless little would stand before it.
    private static int cut(String text, int limit) {
        for (String breaks : BREAKS) {
            for (int cut = limit; cut > limit / 3; cut--) {
                if (breaks.indexOf(text.charAt(cut - 1)) >= 0) {
                    return cut;
                }
            }
        }
        return limit;
    }

    static int columns(CharSequence text) {
        return Character.codePointCount(text, 0, text.length());
    }
}
