package dev.kintsugi.safetensors;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import java.util.regex.Pattern;

/// Recognises what is often found under a weight file's name.
final class Foreign {
    private static final Pattern SERVER_ERROR = Pattern.compile("\\{\\s*\"(errors?|message|detail|status)\"");

    private Foreign() {}

    /// **Errors.** [Fault] `K2003` where `start` begins something else.
    static void refuse(byte[] start) {
        String text = new String(start, StandardCharsets.ISO_8859_1);
        String lower = text.stripLeading().toLowerCase(Locale.ROOT);
        if (text.startsWith("version https://git-lfs")) {
            throw foreign("is a Git LFS pointer, not the weights", "fetch them with: git lfs pull");
        }
        if (lower.startsWith("<!doctype") || lower.startsWith("<html")) {
            throw foreign("is a web page, not the weights", "download it again, logged in if it is gated");
        }
        if (SERVER_ERROR.matcher(lower).lookingAt()) {
            throw foreign("is a server's error message, not the weights", "download it again");
        }
        if (text.startsWith("PK\u0003\u0004")) {
            throw foreign("is a zip archive (torch.save), not safetensors", "rename it to .pt or .bin");
        }
    }

    private static Fault foreign(String what, String next) {
        return new Fault(Code.K2003, what, "something else was saved under this name", next);
    }
}
