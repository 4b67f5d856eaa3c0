package dev.kintsugi.export;

import java.nio.file.Path;
import java.util.List;

/// What was written and checked.
///
/// **Units.** `byteCount` in bytes over all files, `nanos` from the first byte to the published directory.
///
/// @param kept files taken over from an export that was killed
public record ExportReport(
        Path target, int files, int tensors, long byteCount, long nanos, int kept, CastLoss loss, List<String> notes) {
    public ExportReport {
        notes = List.copyOf(notes);
    }
}
