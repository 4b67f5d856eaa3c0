package dev.kintsugi.pickle;

/// How much a pickle may ask for before it is refused.
///
/// **Units.** `maxOpcodes` opcodes, `maxStack` values and marks on the stack at once, `maxMemo` memo slots
/// written, `maxBytes` bytes of the pickle itself.
public record PickleLimits(long maxOpcodes, int maxStack, int maxMemo, long maxBytes) {
    /// Room for millions of tensors.
    public static final PickleLimits DEFAULT = new PickleLimits(200_000_000L, 20_000_000, 20_000_000, 1L << 30);

    /// The longest whole number that is read. **Units.** Bytes.
    public static final int MAX_INTEGER_BYTES = 1024;

    /// The longest whole or decimal number in text, as many as Python itself reads. **Units.** Characters.
    public static final int MAX_DIGITS = 4300;
}
