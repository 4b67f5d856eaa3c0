package dev.kintsugi.checkpoint.open;

import dev.kintsugi.fault.Note;
import dev.kintsugi.work.Job;
import dev.kintsugi.work.Remark;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;

/// What the readers of all formats met on the way.
final class Remarks {
    private static final int MAX_SHOWN = 3;

    private Remarks() {}

    /// A note of each kind of remark that `job` heard. An opaque call is a break of what `torch.save` writes of a state
    /// dict: with `weights_only`, as is usual, `torch.load` refuses such a file too.
    static List<Note> notes(Job job) {
        List<Note> notes = new ArrayList<>();
        List<String> calls = job.takeRemarks(Remark.OPAQUE_CALL);
        if (!calls.isEmpty()) {
            notes.add(Note.formatBreak("opaque call " + listed(calls)
                    + ": torch writes no such call for a tensor; Python would make it, or import what it names, on"
                    + " loading, here nothing is called"));
        }
        List<String> views = job.takeRemarks(Remark.OVERLAPPING_VIEW);
        if (!views.isEmpty()) {
            notes.add(Note.information("elements of " + listed(views)
                    + " lie over one another in the file, as after expand(); each is written as often as it is seen"));
        }
        return notes;
    }

    /// Forgets what `job` heard of other files, in an opening that failed.
    static void forget(Job job) {
        for (Remark kind : Remark.values()) {
            job.takeRemarks(kind);
        }
    }

    private static String listed(List<String> all) {
        String shown = all.stream().limit(MAX_SHOWN).collect(Collectors.joining(", "));
        int more = all.size() - Math.min(MAX_SHOWN, all.size());
        return shown + (more > 0 ? " and " + more + " more" : "");
    }
}
