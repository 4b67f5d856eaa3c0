package dev.kintsugi.architecture;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.ForeignJson;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// A `config.json`, read as data.
public final class Config {
    private static final String WHY = "the file was cut short, or is something else";
    private static final String NEXT = "copy it again, or give another directory with --sidecars DIR";

    private final Path path;
    private final String text;
    private final JsonNode root;

    private Config(Path path, String text, JsonNode root) {
        this.path = path;
        this.text = text;
        this.root = root;
    }

    /// **Errors.** [Fault] `K2305` where it is no JSON object, `K5003` where it cannot be read.
    public static Config read(Path path) {
        try {
            Limit.JSON_BYTES.checkSize(path, Code.K2305);
            return of(path, Files.readString(path, StandardCharsets.UTF_8));
        } catch (CharacterCodingException e) {
            throw new Fault(Code.K2305, path + ": no JSON: it is no UTF-8 text", WHY, NEXT, e);
        } catch (IOException e) {
            throw new Fault(
                    Code.K5003,
                    path + ": cannot be read",
                    "the system says: " + e.getMessage(),
                    "check the path and its permissions",
                    e);
        }
    }

    static Config of(Path path, String text) {
        try {
            JsonNode root = ForeignJson.tree(text);
            if (!root.isObject()) {
                throw new Fault(Code.K2305, path + ": no JSON object", WHY, NEXT);
            }
            return new Config(path, text, root);
        } catch (JacksonException e) {
            throw ForeignJson.fault(Code.K2305, path.toString(), e, WHY, NEXT);
        }
    }

    public Path path() {
        return path;
    }

    /// The file as it stands.
    public String text() {
        return text;
    }

    /// What is at the top, by key.
    public JsonNode root() {
        return root;
    }

    /// The same with the values of `edits`, JSON by key; a dot in a key goes down into an object that is there.
    /// The text stays that of the file.
    Config with(Map<String, String> edits) {
        if (edits.isEmpty()) {
            return this;
        }
        ObjectNode changed = ((ObjectNode) root).deepCopy();
        edits.forEach((key, value) -> {
            int dot = key.lastIndexOf('.');
            JsonNode parent = dot < 0 ? changed : descend(changed, key.substring(0, dot));
            if (parent instanceof ObjectNode object) {
                object.set(key.substring(dot + 1), ForeignJson.tree(value));
            }
        });
        return new Config(path, text, changed);
    }

    /// The value at `path`, dots descending; what is not at the top is looked for in `text_config` too.
    /// Nothing for `null`.
    public Optional<JsonNode> find(String key) {
        JsonNode nested = descend(root.path("text_config"), key);
        JsonNode found = descend(root, key);
        JsonNode value = found.isMissingNode() || found.isNull() ? nested : found;
        return value.isMissingNode() || value.isNull() ? Optional.empty() : Optional.of(value);
    }

    private static JsonNode descend(JsonNode from, String key) {
        JsonNode node = from;
        for (String part : key.split("\\.", -1)) {
            node = node.path(part);
        }
        return node;
    }

    public Optional<String> string(String key) {
        return find(key).filter(JsonNode::isString).map(JsonNode::asString);
    }

    public Optional<Long> integer(String key) {
        return find(key).filter(JsonNode::isIntegralNumber).map(JsonNode::asLong);
    }

    public Optional<Boolean> flag(String key) {
        return find(key).filter(JsonNode::isBoolean).map(JsonNode::asBoolean);
    }

    public Optional<String> modelType() {
        return Optional.of(root.path("model_type")).filter(JsonNode::isString).map(JsonNode::asString);
    }

    /// The class names in `architectures`.
    public List<String> architectures() {
        List<String> names = new ArrayList<>();
        root.path("architectures").forEach(n -> {
            if (n.isString()) {
                names.add(n.asString());
            }
        });
        return names;
    }
}
