package dev.kintsugi.diff;

/// How far values may lie apart: `|a - b| <= atol + rtol * |b|`, as `torch.allclose` has it.
///
/// Equal infinities are close, and two NaNs are; a NaN and a number are not.
public record Tolerances(double rtol, double atol) {
    /// Values must be equal.
    public static final Tolerances EXACT = new Tolerances(0, 0);

    public Tolerances {
        if (!(rtol >= 0 && rtol <= Double.MAX_VALUE && atol >= 0 && atol <= Double.MAX_VALUE)) {
            throw new IllegalArgumentException("a tolerance is a number from 0 on");
        }
    }
}
