package dev.kintsugi.shell;

import java.util.regex.Pattern;

/// Tells a line that may hold a secret, which no file of ours is to keep.
///
/// A word such as `token` counts where a value follows it, as in `--hf-token X` or `HF_TOKEN=X`: tensors are called
/// `embed_tokens`. So do the forms of well-known keys, and addresses with a user or a signature in them.
final class Secrets {
    private static final String WORD = "(?:token|passw(?:or)?d|passphrase|secret|api[_-]?key|credentials?|bearer)s?";

    private static final Pattern SECRET = Pattern.compile("(?i:" + WORD + "[\"']?(?:\\s*[=:]\\s*|-)\\S"
            + "|(?:^|[\\s\"']|-[\\w-]*)" + WORD + "[\"']?\\s+[^\\s-]"
            + "|[a-z][a-z0-9+.-]*://[^\\s/@]*@"
            + "|[?&](?:x-amz-[a-z-]+|sig|signature|key|auth)=)"
            + "|\\bhf_[A-Za-z0-9]{16}|\\b(?:gh[opsu]|glpat|github_pat|xox[abprs])[_-][A-Za-z0-9_-]{10}"
            + "|\\bsk-[A-Za-z0-9_-]{16}|\\bAKIA[A-Z0-9]{16}|\\beyJ[\\w-]{8,}\\.[\\w-]{8}");

    private Secrets() {}

    static boolean mayHold(String line) {
        return SECRET.matcher(line).find();
    }
}
