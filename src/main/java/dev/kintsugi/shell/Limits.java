package dev.kintsugi.shell;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.selector.Nearest;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/// Limits as they are typed: `--limit NAME=N` for one command, `set limit.NAME N` for all that follow.
final class Limits {
    /// What a setting that is a limit begins with.
    static final String SETTING = "limit.";

    private Limits() {}

    /// What `NAME=N` each say. **Errors.** [Fault] `K1003`.
    static Map<Limit, Long> of(List<String> texts) {
        Map<Limit, Long> limits = new EnumMap<>(Limit.class);
        for (String text : texts) {
            int equals = text.indexOf('=');
            if (equals < 0) {
                throw wrong(text, "a limit is a name and a number", "write for example --limit pickle-memo=40000000");
            }
            Limit limit = named(text.substring(0, equals));
            limits.put(limit, number(limit, text.substring(equals + 1)));
        }
        return limits;
    }

    /// The limit called `label`. **Errors.** [Fault] `K1003` with the nearest names.
    static Limit named(String label) {
        return Limit.parse(label).orElseThrow(() -> {
            List<String> all = Arrays.stream(Limit.values()).map(Limit::label).toList();
            List<String> near = Nearest.to(label, all, 1);
            return wrong(
                    label,
                    "limits are " + String.join(", ", all),
                    near.isEmpty() ? "see: help safety" : "did you mean " + near.getFirst() + "?");
        });
    }

    /// What `limit` is to be. **Errors.** [Fault] `K1003`.
    static long number(Limit limit, String text) {
        if (text.matches("[1-9]\\d{0,18}") && new BigInteger(text).bitLength() < 64) {
            long number = Long.parseLong(text);
            if (number <= limit.most()) {
                return number;
            }
        }
        throw wrong(
                limit.label() + " " + text,
                "it is a whole number of " + limit.about() + ", from 1 to " + limit.most(),
                "write for example --limit " + limit.label() + "=" + limit.usual());
    }

    private static Fault wrong(String text, String why, String next) {
        return new Fault(Code.K1003, text + ": no limit", why, next);
    }
}
