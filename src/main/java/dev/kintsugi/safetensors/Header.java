package dev.kintsugi.safetensors;

import dev.kintsugi.fault.Code;
import dev.kintsugi.fault.Fault;
import dev.kintsugi.fault.Limit;
import dev.kintsugi.io.ByteSource;
import dev.kintsugi.io.ForeignJson;
import dev.kintsugi.tensor.Alike;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.TensorSpec;
import dev.kintsugi.work.Job;
import java.io.ByteArrayInputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.core.JsonParser;
import tools.jackson.core.JsonToken;
import tools.jackson.core.ObjectReadContext;

/// The JSON of a file, checked entry by entry, and the tensors it places; that no two share a name is for the caller to
/// check.
record Header(
        List<Map.Entry<String, StoredTensor>> tensors,
        Map<String, String> metadata,
        int unknownFields,
        boolean nullMetadata) {
    /// The header of `file`, whose data begin at byte `dataStart`.
    static Header parse(byte[] json, ByteSource file, long dataStart) {
        try (JsonParser parser = ForeignJson.factory()
                .build()
                .createParser(
                        ObjectReadContext.empty(),
                        new InputStreamReader(new ByteArrayInputStream(json), StandardCharsets.UTF_8))) {
            return new Reading(parser, file, dataStart).header();
        } catch (JacksonException e) {
            throw ForeignJson.fault(
                    Code.K2301,
                    "the header",
                    e,
                    "the file is damaged, or was written by a program that does not follow the format",
                    "copy it again");
        }
    }

    static Fault twice(String what) {
        return damaged(what + " is there twice");
    }

    static Fault damaged(String what) {
        return new Fault(
                Code.K2301,
                what,
                "the file is damaged, or was written by a program that does not follow the format",
                "copy it again, or write it anew");
    }

    /// One pass over the JSON.
    private static final class Reading {
        private final JsonParser parser;
        private final ByteSource file;
        private final long dataStart;
        private final List<Map.Entry<String, StoredTensor>> tensors = new ArrayList<>();
        private final Alike<TensorSpec> specs = new Alike<>();
        private final Map<String, String> metadata = new LinkedHashMap<>();
        private int unknown;
        private boolean hasMetadata;
        private boolean nullMetadata;

        Reading(JsonParser parser, ByteSource file, long dataStart) {
            this.parser = parser;
            this.file = file;
            this.dataStart = dataStart;
        }

        Header header() {
            expect(parser.nextToken(), JsonToken.START_OBJECT, "the header");
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String name = encodable(parser.currentName());
                if (name.equals("__metadata__")) {
                    if (hasMetadata) {
                        throw twice(name);
                    }
                    hasMetadata = true;
                    metadata();
                } else {
                    tensors.add(Map.entry(name, tensor(name)));
                    if ((tensors.size() & 0xffff) == 0) {
                        Job.checkCurrent();
                    }
                    Limit.TENSORS.check(tensors.size(), Code.K2303, () -> "the header lists more tensors than allowed");
                }
            }
            if (parser.nextToken() != null) {
                throw damaged("something follows the header's closing brace");
            }
            return new Header(tensors, metadata, unknown, nullMetadata);
        }

        private void metadata() {
            JsonToken token = parser.nextToken();
            if (token == JsonToken.VALUE_NULL) {
                nullMetadata = true;
                return;
            }
            expect(token, JsonToken.START_OBJECT, "__metadata__");
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String key = parser.currentName();
                expect(parser.nextToken(), JsonToken.VALUE_STRING, "__metadata__." + key);
                if (metadata.put(encodable(key), encodable(parser.getString())) != null) {
                    throw twice("__metadata__." + key);
                }
            }
        }

        /// Half a surrogate pair cannot be written as UTF-8; the reference refuses it too.
        private static String encodable(String text) {
            for (int i = 0; i < text.length(); i++) {
                char c = text.charAt(i);
                if (!Character.isSurrogate(c)) {
                    continue;
                }
                if (Character.isLowSurrogate(c)
                        || i + 1 == text.length()
                        || !Character.isLowSurrogate(text.charAt(i + 1))) {
                    throw damaged("a text in the header holds half a surrogate pair");
                }
                i++;
            }
            return text;
        }

        private StoredTensor tensor(String name) {
            expect(parser.nextToken(), JsonToken.START_OBJECT, name);
            @Nullable String dtype = null;
            long @Nullable [] shape = null;
            long @Nullable [] offsets = null;
            Set<String> others = Set.of();
            while (parser.nextToken() != JsonToken.END_OBJECT) {
                String field = parser.currentName();
                JsonToken token = parser.nextToken();
                switch (field) {
                    case "dtype" -> {
                        once(dtype, name, field);
                        expect(token, JsonToken.VALUE_STRING, name, field);
                        dtype = parser.getString();
                    }
                    case "shape" -> {
                        once(shape, name, field);
                        shape = integers(token, name, field);
                    }
                    case "data_offsets" -> {
                        once(offsets, name, field);
                        offsets = integers(token, name, field);
                    }
                    default -> {
                        others = others.isEmpty() ? new HashSet<>() : others;
                        once(others.add(field) ? null : field, name, field);
                        unknown++;
                        parser.skipChildren();
                    }
                }
            }
            if (dtype == null || shape == null || offsets == null || offsets.length != 2) {
                throw damaged(name + " lacks its "
                        + (dtype == null ? "dtype" : shape == null ? "shape" : "data_offsets, which are two numbers"));
            }
            return checked(name, dtype, shape, offsets[0], offsets[1]);
        }

        private StoredTensor checked(String name, String dtypeName, long[] dims, long begin, long end) {
            Optional<DType> dtype = DType.ofSafetensors(dtypeName);
            if (dtype.isEmpty()) {
                throw new Fault(
                        Code.K2205,
                        name + " is of dtype " + dtypeName,
                        "this version reads " + List.of(DType.values()),
                        "convert the tensor with the program that wrote it");
            }
            TensorSpec spec;
            long bytes;
            try {
                spec = new TensorSpec(dtype.get(), Shape.of(dims));
                for (long dim : dims) {
                    if (dim < 0) {
                        throw new ArithmeticException();
                    }
                }
                product(dims);
                bytes = spec.byteCount();
            } catch (ArithmeticException | IllegalArgumentException e) {
                throw damaged(name + " has the shape " + Arrays.toString(dims)
                        + ", whose bytes cannot be counted in 63 bits");
            }
            if (begin < 0 || end < begin || end - begin != bytes) {
                throw damaged(String.format(
                        Locale.ROOT,
                        "%s has the data_offsets [%d, %d]; %s needs %,d bytes",
                        name,
                        begin,
                        end,
                        spec,
                        bytes));
            }
            if (end > Long.MAX_VALUE - dataStart) {
                throw damaged(name + " ends at byte " + end + " of the data, where no file reaches");
            }
            return new StoredTensor(specs.of(spec), file, dataStart + begin);
        }

        /// Refuses a shape whose product overflows on the way, though a dim of 0 follows.
        private static void product(long[] dims) {
            long product = 1;
            for (long dim : dims) {
                product = Math.multiplyExact(product, dim);
            }
        }

        private static void once(@Nullable Object before, String name, String field) {
            if (before != null) {
                throw twice(name + "." + field);
            }
        }

        private long[] integers(JsonToken token, String name, String field) {
            expect(token, JsonToken.START_ARRAY, name, field);
            long[] numbers = new long[4];
            int count = 0;
            JsonToken next = parser.nextToken();
            while (next != JsonToken.END_ARRAY) {
                expect(next, JsonToken.VALUE_NUMBER_INT, name, field);
                if (parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER || parser.getLongValue() < 0) {
                    throw damaged(name + "." + field + " holds " + parser.getString());
                }
                if (count == numbers.length) {
                    numbers = Arrays.copyOf(numbers, 2 * count);
                }
                numbers[count++] = parser.getLongValue();
                int so = count;
                Limit.DIMS.check(count, Code.K2301, () -> name + "." + field + " has " + so + " numbers or more");
                next = parser.nextToken();
            }
            return Arrays.copyOf(numbers, count);
        }

        private static void expect(@Nullable JsonToken token, JsonToken wanted, String where) {
            expect(token, wanted, where, "");
        }

        private static void expect(@Nullable JsonToken token, JsonToken wanted, String where, String field) {
            if (token != wanted) {
                throw damaged(where
                        + (field.isEmpty() ? "" : "." + field)
                        + switch (wanted) {
                            case START_OBJECT -> " is no object";
                            case START_ARRAY -> " is no array";
                            case VALUE_STRING -> " is no text";
                            default -> " holds what is no whole number";
                        });
            }
        }
    }
}
