package dev.kintsugi.validate;

import dev.kintsugi.fault.Code;
import java.util.Optional;

/// One thing that is not as it should be, or worth knowing.
///
/// @param severity what it means for the model
/// @param code the page that explains it
/// @param subject the tensor or file
/// @param what the evidence, with numbers
/// @param next what to do about it, where that is not what one does about most
public record Finding(Severity severity, Code code, String subject, String what, Optional<String> next) {
    /// What a finding means.
    public enum Severity {
        /// The output would not load, or would be wrong.
        ERROR,
        /// Loadable, but look at it.
        WARNING,
        /// Worth knowing.
        NOTE
    }

    static Finding error(Code code, String subject, String what) {
        return new Finding(Severity.ERROR, code, subject, what, Optional.empty());
    }

    static Finding warning(Code code, String subject, String what) {
        return new Finding(Severity.WARNING, code, subject, what, Optional.empty());
    }

    static Finding note(Code code, String subject, String what) {
        return new Finding(Severity.NOTE, code, subject, what, Optional.empty());
    }

    /// The same with what to do about it.
    Finding withNext(String next) {
        return new Finding(severity, code, subject, what, Optional.of(next));
    }
}
