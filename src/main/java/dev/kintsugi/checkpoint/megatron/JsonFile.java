package dev.kintsugi.checkpoint.megatron;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.ForeignJson;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// Small JSON documents: those beside the weights, and the rules in this package.
final class JsonFile {
    private JsonFile() {}

    /// The document at `path`. **Errors.** [Fault] `K2305`, `K5003`.
    static JsonNode read(Path path) {
        try {
            Limit.JSON_BYTES.checkSize(path, Code.K2305);
            return ForeignJson.tree(Files.readAllBytes(path));
        } catch (JacksonException e) {
            throw ForeignJson.fault(
                    Code.K2305, path.toString(), e, "the file is damaged or was edited by hand", "copy it again");
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003,
                    path + ": cannot be read",
                    "the system says: " + e.getMessage(),
                    "check the path and its permissions",
                    e);
        }
    }

    /// The document `name.json` of this package, if there is one.
    static Optional<JsonNode> resource(String name) {
        try (InputStream stream = JsonFile.class.getResourceAsStream(name + ".json")) {
            return stream == null ? Optional.empty() : Optional.of(ForeignJson.tree(stream));
        } catch (IOException e) {
            throw new Fault(
                    Code.K9001,
                    name + ".json cannot be read",
                    "the program's own files are damaged",
                    "install it again",
                    e);
        }
    }
}
