package dev.kintsugi.pickle;

/// How much a pickle may ask for before it is refused.
///
/// **Units.** `maxOpcodes` opcodes, `maxStack` values on the stack at once, `maxMemo` memo slots written,
/// `maxBytes` bytes of the pickle itself.
public record PickleLimits(long maxOpcodes, int maxStack, int maxMemo, long maxBytes) {
    /// Room for millions of tensors.
    public static final PickleLimits DEFAULT = new PickleLimits(200_000_000L, 20_000_000, 20_000_000, 1L << 30);
}
