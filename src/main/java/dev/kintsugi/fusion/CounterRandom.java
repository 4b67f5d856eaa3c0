package dev.kintsugi.fusion;

import java.nio.charset.StandardCharsets;

/// Random numbers that depend on nothing but a seed, a tensor's name, a model's number and an element's index.
///
/// **Source.** The finaliser of SplitMix64 (Steele, Lea, Flood 2014), applied to a counter.
final class CounterRandom {
    private static final long GOLDEN = 0x9e3779b97f4a7c15L;

    private final long stream;

    CounterRandom(long seed, String tensor, int model) {
        long hash = mix(seed + GOLDEN);
        for (byte b : tensor.getBytes(StandardCharsets.UTF_8)) {
            hash = mix(hash ^ (b & 0xff)) + GOLDEN;
        }
        stream = mix(hash + (model + 1) * GOLDEN);
    }

    /// The number of `element`, uniform in `[0, 1)`.
    double at(long element) {
        return (mix(stream + (element + 1) * GOLDEN) >>> 11) * 0x1p-53;
    }

    /// Sets to 0 each of `values`, the first being element `first`, whose number is not below `probability`.
    void keep(double probability, double[] values, long first, int count) {
        long limit = (long) Math.ceil(probability * 0x1p53);
        for (int j = 0; j < count; j++) {
            long kept = ((mix(stream + (first + j + 1) * GOLDEN) >>> 11) - limit) >> 63;
            values[j] = Double.longBitsToDouble(Double.doubleToRawLongBits(values[j]) & kept);
        }
    }

    private static long mix(long z) {
        long a = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        long b = (a ^ (a >>> 27)) * 0x94d049bb133111ebL;
        return b ^ (b >>> 31);
    }
}
