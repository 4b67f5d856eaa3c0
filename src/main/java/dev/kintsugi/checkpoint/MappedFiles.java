package dev.kintsugi.checkpoint;

import dev.kintsugi.io.MappedFile;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The files an open checkpoint has mapped; closing it closes them all. Any thread may open.
public final class MappedFiles implements AutoCloseable {
    private final Map<Path, MappedFile> files = new LinkedHashMap<>();

    /// The mapping of `path`, made once.
    public synchronized MappedFile open(Path path) {
        MappedFile known = files.get(path);
        if (known != null) {
            return known;
        }
        MappedFile file = MappedFile.open(path);
        files.put(path, file);
        return file;
    }

    public synchronized List<MappedFile> all() {
        return new ArrayList<>(files.values());
    }

    /// Checks that no file changed since it was mapped. **Errors.** [dev.kintsugi.fault.Fault] `K2401` if one
    /// did.
    public void checkUnchanged() {
        all().forEach(MappedFile::checkUnchanged);
    }

    @Override
    public synchronized void close() {
        files.values().forEach(MappedFile::close);
        files.clear();
    }
}
