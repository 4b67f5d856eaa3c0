package dev.kintsugi.export;

import java.util.List;
import java.util.Locale;

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

    private SidecarFiles() {}

    static boolean isSidecar(String name) {
        String lower = name.toLowerCase(Locale.ROOT);
        if (lower.equals("license") || lower.equals("notice")) {
            return true;
        }
        return ENDINGS.stream().anyMatch(lower::endsWith) && NOT.stream().noneMatch(lower::endsWith);
    }
}
