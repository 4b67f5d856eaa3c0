package dev.kintsugi;

import java.util.stream.Stream;
import org.junit.jupiter.params.provider.Arguments;

/// What a pickle imports to run code, as arguments of tests: a module and a name in it.
public final class DangerousImports {
    private DangerousImports() {}

    /// What runs a command, or code, when it is called.
    public static Stream<Arguments> runACommand() {
        return pairs(
                "posix system",
                "nt system",
                "os system",
                "subprocess Popen",
                "builtins exec",
                "builtins eval",
                "builtins open",
                "builtins __import__",
                "__builtin__ eval",
                "socket socket");
    }

    /// What gives one of those, or makes it.
    public static Stream<Arguments> leadToAnother() {
        return pairs(
                "operator attrgetter",
                "operator methodcaller",
                "functools partial",
                "pkgutil resolve_name",
                "importlib import_module",
                "pydoc locate",
                "runpy run_path",
                "marshal loads",
                "types CodeType",
                "cloudpickle.cloudpickle _make_function",
                "cloudpickle.cloudpickle _builtin_type");
    }

    private static Stream<Arguments> pairs(String... pairs) {
        return Stream.of(pairs).map(pair -> Arguments.of((Object[]) pair.split(" ")));
    }
}
