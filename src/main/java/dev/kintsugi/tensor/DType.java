package dev.kintsugi.tensor;

import java.util.Arrays;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/// An element type, with the spelling each neighbour uses for it.
///
/// The constants stand in the order in which safetensors lays tensors out in a file: the data section holds all `U64`
/// first and all `BOOL` last, whatever the order in which the tensors were given.
///
/// **Source.** `safetensors/src/tensor.rs`, `enum Dtype` (descending order); `torch/csrc/utils/tensor_dtypes.cpp`.
public enum DType {
    U64(8, Kind.UNSIGNED, "uint64"),
    I64(8, Kind.SIGNED, "int64"),
    F64(8, Kind.FLOAT, "float64"),
    C64(8, Kind.COMPLEX, "complex64"),
    F32(4, Kind.FLOAT, "float32"),
    U32(4, Kind.UNSIGNED, "uint32"),
    I32(4, Kind.SIGNED, "int32"),
    BF16(2, Kind.FLOAT, "bfloat16"),
    F16(2, Kind.FLOAT, "float16"),
    U16(2, Kind.UNSIGNED, "uint16"),
    I16(2, Kind.SIGNED, "int16"),
    F8_E5M2FNUZ(1, Kind.FLOAT, "float8_e5m2fnuz"),
    F8_E4M3FNUZ(1, Kind.FLOAT, "float8_e4m3fnuz"),
    F8_E8M0(1, Kind.FLOAT, "float8_e8m0fnu"),
    F8_E4M3(1, Kind.FLOAT, "float8_e4m3fn"),
    F8_E5M2(1, Kind.FLOAT, "float8_e5m2"),
    I8(1, Kind.SIGNED, "int8"),
    U8(1, Kind.UNSIGNED, "uint8"),
    BOOL(1, Kind.BOOL, "bool");

    /// What the elements mean.
    public enum Kind {
        FLOAT,
        SIGNED,
        UNSIGNED,
        BOOL,
        COMPLEX
    }

    private final int byteWidth;
    private final Kind kind;
    private final String torchName;

    DType(int byteWidth, Kind kind, String torchName) {
        this.byteWidth = byteWidth;
        this.kind = kind;
        this.torchName = torchName;
    }

    /// Bytes of one element.
    public int byteWidth() {
        return byteWidth;
    }

    public Kind kind() {
        return kind;
    }

    /// Whether the elements are real floating point numbers, the only ones a fusion computes with.
    public boolean isFloat() {
        return kind == Kind.FLOAT;
    }

    /// The name without its module, as in `torch.bfloat16`.
    public String torchName() {
        return torchName;
    }

    /// The dtype safetensors spells `name`, as in `BF16`.
    public static Optional<DType> ofSafetensors(String name) {
        return Optional.ofNullable(Names.SAFETENSORS.get(name));
    }

    /// The dtype torch spells `name`, without its module, as in `bfloat16`; `half`, `double` and such are known too.
    public static Optional<DType> ofTorch(String name) {
        String canonical = switch (name) {
            case "double" -> "float64";
            case "float" -> "float32";
            case "half" -> "float16";
            case "long" -> "int64";
            case "int" -> "int32";
            case "short" -> "int16";
            case "cfloat" -> "complex64";
            default -> name;
        };
        return Optional.ofNullable(Names.TORCH.get(canonical));
    }

    /// The dtype a person means by `text`: `bf16`, `BF16`, `bfloat16`, `fp32`.
    public static Optional<DType> parse(String text) {
        String lower = text.toLowerCase(Locale.ROOT);
        String upper = lower.startsWith("fp") ? "F" + lower.substring(2) : lower.toUpperCase(Locale.ROOT);
        return ofSafetensors(upper).or(() -> ofTorch(lower));
    }

    /// Each dtype by its names.
    private static final class Names {
        static final Map<String, DType> SAFETENSORS = by(DType::name);
        static final Map<String, DType> TORCH = by(DType::torchName);

        private static Map<String, DType> by(Function<DType, String> name) {
            return Arrays.stream(values()).collect(Collectors.toUnmodifiableMap(name, d -> d));
        }
    }
}
