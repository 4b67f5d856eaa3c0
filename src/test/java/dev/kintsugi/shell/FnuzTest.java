package dev.kintsugi.shell;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.kintsugi.Golden;
import dev.kintsugi.fault.Status;
import dev.kintsugi.io.MappedFile;
import dev.kintsugi.numeric.Elements;
import dev.kintsugi.safetensors.SafetensorsFile;
import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/// The 8-bit floats of AMD, against what torch makes of every pattern and of values between them.
class FnuzTest {
    private static final Path MODEL = Golden.resource("fnuz").resolve("model.safetensors");

    @TempDir
    Path scratch;

    private final Typed typed = new Typed();

    private static byte[] bytes(SafetensorsFile file, String name) {
        Tensor tensor = file.tensors().get(name);
        return Golden.bytes(tensor, 1 << 16);
    }

    private static float[] floats(DType dtype, byte[] bytes) {
        float[] values = new float[bytes.length / dtype.byteWidth()];
        Elements.toFloats(dtype, MemorySegment.ofArray(bytes), values, values.length);
        return values;
    }

    @DisplayName("S-17 every FNUZ pattern has torch's value, and every value is rounded as torch rounds it")
    @ParameterizedTest
    @EnumSource(
            value = DType.class,
            names = {"F8_E4M3FNUZ", "F8_E5M2FNUZ"})
    void valuesAreThoseOfTorch(DType dtype) {
        try (MappedFile mapped = MappedFile.open(MODEL)) {
            SafetensorsFile file = SafetensorsFile.open(mapped);
            String name = dtype.torchName().replace("float8_", "");
            assertEquals(dtype, file.tensors().get(name).spec().dtype());
            float[] expected = floats(DType.F32, bytes(file, name + ".values"));
            assertEquals(256, expected.length);
            assertArrayEquals(expected, floats(dtype, bytes(file, name)));
            float[] source = floats(DType.F32, bytes(file, name + ".source"));
            byte[] rounded = new byte[source.length];
            try (Arena arena = Arena.ofConfined()) {
                MemorySegment target = arena.allocate(source.length);
                Elements.fromFloats(dtype, source, target, source.length);
                MemorySegment.copy(target, ValueLayout.JAVA_BYTE, 0, rounded, 0, rounded.length);
            }
            assertArrayEquals(bytes(file, name + ".rounded"), rounded);
        }
    }

    @DisplayName("S-17 FNUZ tensors are listed, counted and exported with the bytes that safetensors writes")
    @Test
    void aModelOfFnuzTensorsIsCopied() throws IOException {
        Path target = scratch.resolve("out");
        String export = "export m " + target + " --keys as-is --plain";
        assertEquals(
                Status.DONE,
                typed.run("open " + MODEL + " --as m", "tensors m", "stats m e4m3fnuz", "diff m m", export),
                typed.err.toString());
        assertTrue(typed.out.toString().contains("F8_E4M3FNUZ"), typed.out.toString());
        assertArrayEquals(Files.readAllBytes(MODEL), Files.readAllBytes(target.resolve("model.safetensors")));
    }
}
