package dev.kintsugi.export;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.io.IOException;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Pattern;

/// Which files of a Hugging Face directory go with any set of weights.
final class SidecarFiles {
    private static final List<String> ENDINGS =
            List.of(".json", ".jinja", ".txt", ".model", ".py", ".tiktoken", ".md", ".spm", ".bpe");
    private static final List<String> NOT = List.of(
            ".index.json",
            "fsdp_config.json",
            "lora_train_meta.json",
            "adapter_config.json",
            "latest_checkpointed_iteration.txt",
            "readme.md",
            "trainer_state.json",
            "zero_to_fp32.py");

    /// What a tokenizer of transformers consists of, in whatever version.
    private static final List<String> TOKENIZER = List.of(
            "tokenizer.json",
            "tokenizer_config.json",
            "special_tokens_map.json",
            "added_tokens.json",
            "vocab.json",
            "vocab.txt",
            "merges.txt",
            "tokenizer.model",
            "spiece.model",
            "chat_template.jinja",
            "chat_template.json");

    private static final Pattern RESERVED =
            Pattern.compile("(con|prn|aux|nul|com[0-9]|lpt[0-9])(\\..*)?", Pattern.CASE_INSENSITIVE);

    private SidecarFiles() {}

    static boolean isSidecar(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        if (lower.equals("license") || lower.equals("notice")) {
            return true;
        }
        return ENDINGS.stream().anyMatch(lower::endsWith) && NOT.stream().noneMatch(lower::endsWith);
    }

    static boolean isTokenizer(String name) {
        return TOKENIZER.contains(name) || name.endsWith(".tiktoken");
    }

    /// Checks that each name among `files` of `directory` is one everywhere.
    ///
    /// **Errors.** [Fault] `K4015`.
    static void check(Path directory, List<PlannedFile> files) throws IOException {
        Map<String, String> names = new HashMap<>();
        for (PlannedFile file : files) {
            String before = names.put(file.name().toLowerCase(Locale.ROOT), file.name());
            if (before != null) {
                throw unsafe(
                        directory + ": " + before + " and " + file.name() + " differ in capitals only",
                        "where capitals are not told apart, one would take the place of the other");
            }
            if (RESERVED.matcher(file.name()).matches()) {
                throw unsafe(directory + ": " + file.name() + " is a reserved name", "Windows cannot hold such a file");
            }
        }
    }

    /// Checks that `file` of `directory` is no link that leaves it. **Errors.** [Fault] `K4015`.
    static void refuseOutside(Path directory, Path file) throws IOException {
        Path real = file.toRealPath();
        Path home = directory.toRealPath();
        Path cache = home.resolve("../../blobs").normalize();
        if (!real.startsWith(home) && !real.startsWith(cache)) {
            throw unsafe(
                    file + " is a link to " + real,
                    "it leaves its directory, and its target would be copied into the output");
        }
    }

    private static Fault unsafe(String what, String why) {
        return new Fault(
                Code.K4015, what, why, "put the file itself there, or give another directory with --sidecars DIR");
    }
}
