package dev.kintsugi.inspect;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import java.nio.file.Path;
import java.util.List;

/// What [Verify] found out about one file.
///
/// @param byteCount of the file
/// @param records zip records read; 0 if it is none
/// @param unrecorded those of them without a checksum to compare with
/// @param note why it was skipped, or what could not be checked; empty if there is nothing to say
/// @param findings everything wrong with it
public record FileVerdict(
        Path path, Verdict verdict, long byteCount, int records, int unrecorded, String note, List<Finding> findings) {
    /// The answer in a word.
    public enum Verdict {
        /// Structure, sizes and every checksum are right.
        SOUND,
        /// Structure and sizes are right; whoever wrote the file computed no checksums
        /// (`torch.serialization.set_crc32_options(False)`), so nothing is known about the data.
        NOT_RECORDED,
        /// Something is wrong, see the findings.
        DAMAGED,
        /// Not an archive: nothing here checks it.
        SKIPPED
    }

    /// One thing that is wrong, told as a fault is.
    ///
    /// @param tensors names of the tensors whose elements are affected, where that is known
    public record Finding(Code code, String what, String why, String next, List<String> tensors) {
        public Finding {
            tensors = List.copyOf(tensors);
        }

        static Finding of(Fault fault) {
            return new Finding(fault.code(), fault.what(), fault.why(), fault.next(), List.of());
        }
    }

    public FileVerdict {
        findings = List.copyOf(findings);
    }
}
