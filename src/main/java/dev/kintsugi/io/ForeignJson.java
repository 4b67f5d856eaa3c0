package dev.kintsugi.io;

import dev.kintsugi.fault.Limit;
import tools.jackson.core.StreamReadConstraints;
import tools.jackson.core.json.JsonFactory;
import tools.jackson.core.json.JsonFactoryBuilder;
import tools.jackson.databind.json.JsonMapper;

/// Readers of JSON that strangers wrote, within the limits as they are now.
public final class ForeignJson {
    private static final int MAX_NAME_CHARACTERS = 1 << 20;

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

    public static JsonMapper mapper() {
        return JsonMapper.builder(factory().build()).build();
    }
}
