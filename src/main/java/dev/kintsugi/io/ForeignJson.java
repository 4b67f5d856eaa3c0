package dev.kintsugi.io;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import java.io.InputStream;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.regex.Pattern;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.exc.StreamConstraintsException;
import tools.jackson.core.exc.StreamReadException;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonFactoryBuilder;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.MissingNode;
import tools.jackson.databind.node.ObjectNode;

/// Reads JSON that strangers wrote, within the limits as they are now.
///
/// Trees are built straight from the tokens: a mapper takes longer to make than most documents to read.
/// **Errors.** [tools.jackson.core.JacksonException] where the text is no JSON, or more than one document.
public final class ForeignJson {
    private static final int MAX_NAME_CHARACTERS = 1 << 20;
    private static final Pattern HINT =
            Pattern.compile(": enable `[^`]*Feature[^`]*` to allow|:? *\\([^()]*Feature[^()]*\\)");
    private static final JsonNodeFactory NODES = JsonNodeFactory.instance;

    private ForeignJson() {}

    /// A factory to build on. Names are not kept beyond the document they are in.
    public static JsonFactoryBuilder factory() {
        return JsonFactory.builder()
                .disable(JsonFactory.Feature.CANONICALIZE_PROPERTY_NAMES)
                .streamReadConstraints(StreamReadConstraints.builder()
                        .maxNestingDepth(Limit.JSON_DEPTH.intValue())
                        .maxStringLength(Integer.MAX_VALUE)
                        .maxNameLength(MAX_NAME_CHARACTERS)
                        .build());
    }

    /// What turns documents into other things than trees.
    public static JsonMapper mapper() {
        return JsonMapper.builder(factory().build()).build();
    }

    /// The document in `text`; the missing node if it is empty.
    public static JsonNode tree(String text) {
        try (JsonParser parser = factory().build().createParser(ObjectReadContext.empty(), text)) {
            return tree(parser);
        }
    }

    /// The document in `bytes`, which are UTF-8, or UTF-16 or UTF-32 that shows.
    public static JsonNode tree(byte[] bytes) {
        try (JsonParser parser = factory().build().createParser(ObjectReadContext.empty(), bytes)) {
            return tree(parser);
        }
    }

    /// The document that `stream` holds.
    public static JsonNode tree(InputStream stream) {
        try (JsonParser parser = factory().build().createParser(ObjectReadContext.empty(), stream)) {
            return tree(parser);
        }
    }

    /// The fault of a text that is no JSON, called `what`. One that nests too deep is told with the limit.
    public static Fault fault(Code code, String what, JacksonException e, String why, String next) {
        if (e instanceof StreamConstraintsException && e.getOriginalMessage().contains("nesting depth")) {
            return Limit.JSON_DEPTH.beyond(code, what + ": objects and arrays lie deeper within one another");
        }
        return new Fault(code, what + ": no JSON: " + message(e), why, next, e);
    }

    /// What the parser says, without the switches of it that would let more pass.
    private static String message(JacksonException e) {
        return HINT.matcher(e.getOriginalMessage()).replaceAll("");
    }

    /// The value that `parser` stands at, with all it holds. The parser then stands at its end.
    public static JsonNode value(JsonParser parser) {
        JsonNode value = value(parser, parser.currentToken());
        if (value instanceof ObjectNode object) {
            while (parser.nextToken() == JsonToken.PROPERTY_NAME) {
                String name = parser.currentName();
                parser.nextToken();
                object.set(name, value(parser));
            }
        } else if (value instanceof ArrayNode array) {
            while (parser.nextToken() != JsonToken.END_ARRAY) {
                array.add(value(parser));
            }
        }
        return value;
    }

    private static JsonNode tree(JsonParser parser) {
        Deque<JsonNode> open = new ArrayDeque<>();
        JsonNode document = MissingNode.getInstance();
        for (JsonToken token = parser.nextToken(); token != null; token = parser.nextToken()) {
            if (token == JsonToken.PROPERTY_NAME) {
                continue;
            }
            if (token.isStructEnd()) {
                open.pop();
                continue;
            }
            if (open.isEmpty() && !document.isMissingNode()) {
                throw new StreamReadException(parser, "there is more text after the document");
            }
            JsonNode value = value(parser, token);
            switch (open.peek()) {
                case ObjectNode object -> object.set(parser.currentName(), value);
                case ArrayNode array -> array.add(value);
                case null, default -> document = value;
            }
            if (token.isStructStart()) {
                open.push(value);
            }
        }
        return document;
    }

    private static JsonNode value(JsonParser parser, JsonToken token) {
        return switch (token) {
            case START_OBJECT -> NODES.objectNode();
            case START_ARRAY -> NODES.arrayNode();
            case VALUE_STRING -> NODES.stringNode(parser.getString());
            case VALUE_NUMBER_INT ->
                switch (parser.getNumberType()) {
                    case INT -> NODES.numberNode(parser.getIntValue());
                    case LONG -> NODES.numberNode(parser.getLongValue());
                    default -> NODES.numberNode(parser.getBigIntegerValue());
                };
            case VALUE_NUMBER_FLOAT -> NODES.numberNode(parser.getDoubleValue());
            case VALUE_TRUE, VALUE_FALSE -> NODES.booleanNode(token == JsonToken.VALUE_TRUE);
            case VALUE_NULL -> NODES.nullNode();
            default -> throw new StreamReadException(parser, "there is no value: " + token);
        };
    }
}
