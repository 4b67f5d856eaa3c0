package dev.kintsugi.fusion;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

class RankingTest {
    static LongStream seeds() {
        return LongStream.range(0, 20);
    }

    @ParameterizedTest
    @MethodSource("seeds")
    void ranksAsAStableSortDoesEvenWhereOnlyTheLastBitsDiffer(long seed) {
        Random random = new Random(seed);
        int row = 1 + random.nextInt(500);
        double[] values = new double[row + 3];
        for (int j = 0; j < values.length; j++) {
            double near = 1 + random.nextInt(50) * Math.ulp(1.0);
            values[j] = random.nextBoolean() ? -near : random.nextInt(4) == 0 ? 0 : random.nextGaussian();
        }
        Ranking ranking = new Ranking(row);
        ranking.rank(values, 3);
        int[] expected = IntStream.range(0, row)
                .boxed()
                .sorted(Comparator.comparingDouble((Integer j) -> Math.abs(values[3 + j])))
                .mapToInt(Integer::intValue)
                .toArray();
        for (int rank = 0; rank < row; rank++) {
            assertEquals(expected[rank], ranking.at(rank), "seed " + seed + ", rank " + rank);
        }
    }
}
