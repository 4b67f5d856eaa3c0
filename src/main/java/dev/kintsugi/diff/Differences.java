package dev.kintsugi.diff;

import dev.kintsugi.numeric.BlockReader;
import dev.kintsugi.numeric.CompensatedSum;
import dev.kintsugi.tensor.Shape;
import dev.kintsugi.tensor.TensorSpec;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalDouble;
import java.util.OptionalLong;

/// What pairs of scalars come to, added up. Not thread safe.
final class Differences {
    boolean bytesDiffer;
    long scalars;
    long finitePairs;
    long differing;
    long outside;
    long nanMismatches;
    long infinityMismatches;
    double maxAbs;
    double maxRelative;
    long maxUlps;

    /// The first scalar that differs, numbered within the tensor.
    Optional<Long> first = Optional.empty();

    private final CompensatedSum squaresOfDifference = new CompensatedSum();
    private final CompensatedSum squaresOfA = new CompensatedSum();
    private final CompensatedSum squaresOfB = new CompensatedSum();
    private final CompensatedSum products = new CompensatedSum();

    void addSums(double ofDifference, double ofA, double ofB, double product) {
        squaresOfDifference.add(ofDifference);
        squaresOfA.add(ofA);
        squaresOfB.add(ofB);
        products.add(product);
    }

    /// Adds what `other` found, which comes after what this one found.
    void merge(Differences other) {
        bytesDiffer |= other.bytesDiffer;
        scalars += other.scalars;
        finitePairs += other.finitePairs;
        differing += other.differing;
        outside += other.outside;
        nanMismatches += other.nanMismatches;
        infinityMismatches += other.infinityMismatches;
        maxAbs = Math.max(maxAbs, other.maxAbs);
        maxRelative = Math.max(maxRelative, other.maxRelative);
        maxUlps = Math.max(maxUlps, other.maxUlps);
        first = first.or(() -> other.first);
        addSums(
                other.squaresOfDifference.value(),
                other.squaresOfA.value(),
                other.squaresOfB.value(),
                other.products.value());
    }

    TensorDifference toTensorDifference(String name, TensorSpec a, TensorSpec b) {
        boolean sameDtype = a.dtype() == b.dtype();
        int perElement = BlockReader.scalarsPerElement(a.dtype());
        boolean counted = sameDtype && (a.dtype().isFloat() || perElement == 2);
        double difference = Math.sqrt(squaresOfDifference.value());
        double normOfB = Math.sqrt(squaresOfB.value());
        return new TensorDifference(
                name,
                a,
                b,
                scalars,
                sameDtype && !bytesDiffer,
                differing,
                outside,
                nanMismatches,
                infinityMismatches,
                maxAbs,
                maxRelative,
                finitePairs == 0 ? 0 : difference / Math.sqrt((double) finitePairs),
                difference == 0 ? 0 : difference / normOfB,
                cosine(Math.sqrt(squaresOfA.value()), normOfB),
                first.map(scalar -> index(a.shape(), scalar / perElement)),
                counted ? OptionalLong.of(maxUlps) : OptionalLong.empty());
    }

    private OptionalDouble cosine(double normOfA, double normOfB) {
        if (normOfA == 0 || normOfB == 0) {
            return OptionalDouble.empty();
        }
        if (differing == 0) {
            return OptionalDouble.of(1);
        }
        return OptionalDouble.of(Math.clamp(products.value() / normOfA / normOfB, -1.0, 1.0));
    }

    private static List<Long> index(Shape shape, long element) {
        Shape strides = shape.denseStrides();
        List<Long> index = new ArrayList<>();
        long rest = element;
        for (int dim = 0; dim < shape.ndim(); dim++) {
            index.add(rest / strides.dim(dim));
            rest %= strides.dim(dim);
        }
        return index;
    }
}
