package dev.kintsugi.fusion;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.kintsugi.tensor.DType;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.DoubleSupplier;
import org.junit.jupiter.api.Test;

class SelectionTest {
    private static final Selection.Magnitudes PLAIN = new Selection.Magnitudes() {
        @Override
        public void open(Block block) {}

        @Override
        public void write(int stream, Block block, double[] magnitudes) {
            for (int j = 0; j < block.count(); j++) {
                magnitudes[j] = Math.abs(block.input(0)[j]);
            }
        }
    };

    private static double[] check(int n, DoubleSupplier values, long... places) {
        double[] x = new double[n];
        Arrays.setAll(x, j -> values.getAsDouble());
        Tensor tensor = Fixtures.tensor(DType.F64, Shape.of(n), x);
        Sources sources = new Sources(List.of(tensor), Optional.empty());
        Parameters none = new Parameters(Methods.named("linear"), List.of(), List.of(), "w", 0);
        Task task = new Task("w", Shape.of(n), sources, none, List.of("m"), "");
        for (boolean lastFirst : new boolean[] {false, true}) {
            Cut[] cuts = new Selection(task, 1, lastFirst, PLAIN).find(stream -> places)[0];
            double[] sorted = Arrays.stream(x).map(Math::abs).sorted().toArray();
            for (int k = 0; k < places.length; k++) {
                long before = 0;
                for (int j = 0; j < n; j++) {
                    before += cuts[k].isAfter(Math.abs(x[j]), j) ? 1 : 0;
                }
                assertEquals(Math.clamp(places[k], 0, n), before, "place " + places[k]);
                if (places[k] > 0 && places[k] < n) {
                    assertEquals(sorted[n - (int) places[k]], cuts[k].magnitude());
                }
            }
        }
        return x;
    }

    @Test
    void findsAnyPlaceAmongNumbersOfAllSizes() {
        Random random = new Random(3);
        check(
                100_000,
                () -> random.nextGaussian() * Math.scalb(1.0, random.nextInt(600) - 300),
                0,
                1,
                50_000,
                99_999,
                100_000);
    }

    @Test
    void findsPlacesAmongEqualNumbers() {
        Random random = new Random(4);
        check(70_000, () -> random.nextInt(3), 1, 10_000, 23_000, 50_000, 69_999);
        check(40_000, () -> 1.5, 1, 39_999);
        check(1, () -> 0, 0, 1);
    }

    @Test
    void countsAgainWhereOneBinHoldsMoreDifferentNumbersThanAreCollected() {
        Random random = new Random(5);
        check(700_000, () -> 1 + random.nextDouble() * 0x1p-12, 1, 350_000, 699_000);
    }

    @Test
    void findsPlacesWhereTheSampleSawNothingLikeTheRest() {
        Random random = new Random(7);
        int n = 200_000;
        boolean[] seen = new boolean[n];
        new Sources(List.of(Fixtures.tensor(DType.F64, Shape.of(n), new double[n])), Optional.empty())
                .sample(
                        1,
                        n / 32,
                        block -> Arrays.fill(seen, (int) block.first(), (int) block.first() + block.count(), true));
        int[] at = {0};
        check(n, () -> (seen[at[0]++] ? 1 : 10) + random.nextDouble(), 1, 100, 100_000, 199_900);
        at[0] = 0;
        check(n, () -> (seen[at[0]++] ? 10 : 1) + random.nextInt(4), 1, 100, 100_000, 199_900);
    }

    @Test
    void notANumberComesBeforeAllNumbers() {
        Random random = new Random(6);
        double[] x =
                check(1000, () -> random.nextInt(5) == 0 ? Double.POSITIVE_INFINITY : random.nextDouble(), 10, 500);
        assertEquals(1000, x.length);
    }
}
