package dev.kintsugi.checkpoint;

import dev.kintsugi.fault.Note;
import dev.kintsugi.sharding.DeviceMesh;
import dev.kintsugi.tensor.StateDict;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/// An opened checkpoint: metadata in memory, tensor bytes in mapped files until [#close()].
///
/// @param format what wrote it, as a person says it: `FSDP2`, `FSDP1`, `DCP`, `safetensors`, `torch .bin`
/// @param directories where its files are
/// @param worldSize ranks of the job; 1 where files belong to no rank
/// @param mesh the mesh most tensors lie on
/// @param files one entry a file, missing ones included
/// @param tensors the consolidated model under the names of the files, wrapper prefixes included
/// @param layouts how each of `tensors` lies over the ranks, and each of `holes` of which the metadata tells it
/// @param ranks what each rank holds, local tensors under the same names; empty where files belong to no rank
/// @param sidecars the directory with `config.json` and tokenizer, if one was found
/// @param notes what a person should know: inferred, trimmed, replicated by value
/// @param holes tensors that are left out because missing ranks hold parts of them
/// @param ignored entries of the directory that are not part of the model
/// @param writtenBy the versions the files hint at, such as `torch 2.9 to 2.12`
/// @param buffers the flat buffers of the ranks, where the framework lays parameters end to end
/// @param resources the mapped files
public record Checkpoint(
        String format,
        List<Path> directories,
        int worldSize,
        Optional<DeviceMesh> mesh,
        List<ShardFile> files,
        StateDict tensors,
        Map<String, Layout> layouts,
        SequencedMap<Integer, StateDict> ranks,
        Optional<Path> sidecars,
        List<Note> notes,
        List<String> holes,
        List<String> ignored,
        Optional<String> writtenBy,
        List<FlatBuffer> buffers,
        MappedFiles resources)
        implements AutoCloseable {
    public Checkpoint {
        directories = List.copyOf(directories);
        files = List.copyOf(files);
        layouts = Collections.unmodifiableMap(layouts);
        notes = List.copyOf(notes);
        holes = List.copyOf(holes);
        ignored = List.copyOf(ignored);
        buffers = List.copyOf(buffers);
    }

    /// A checkpoint of which no part is missing, without flat buffers.
    public Checkpoint(
            String format,
            List<Path> directories,
            int worldSize,
            Optional<DeviceMesh> mesh,
            List<ShardFile> files,
            StateDict tensors,
            Map<String, Layout> layouts,
            SequencedMap<Integer, StateDict> ranks,
            Optional<Path> sidecars,
            List<Note> notes,
            List<String> ignored,
            Optional<String> writtenBy,
            MappedFiles resources) {
        this(
                format,
                directories,
                worldSize,
                mesh,
                files,
                tensors,
                layouts,
                ranks,
                sidecars,
                notes,
                List.of(),
                ignored,
                writtenBy,
                List.of(),
                resources);
    }

    /// The same with `more` behind its notes.
    public Checkpoint noting(List<Note> more) {
        List<Note> all = new ArrayList<>(notes);
        all.addAll(more);
        return new Checkpoint(
                format,
                directories,
                worldSize,
                mesh,
                files,
                tensors,
                layouts,
                ranks,
                sidecars,
                all,
                holes,
                ignored,
                writtenBy,
                buffers,
                resources);
    }

    /// Checks that no source file changed since it was opened.
    ///
    /// **Errors.** [dev.kintsugi.fault.Fault] `K2401` if one did.
    public void checkUnchanged() {
        resources.checkUnchanged();
    }

    /// Unmaps the files; tensors must not be read afterwards.
    @Override
    public void close() {
        resources.close();
    }
}
