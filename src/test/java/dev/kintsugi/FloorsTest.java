package dev.kintsugi;

import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.syntax.ArchRuleDefinition;
import com.tngtech.archunit.library.Architectures;
import com.tngtech.archunit.library.GeneralCodingRules;
import java.io.IOException;
import java.io.PrintWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;
import org.junit.jupiter.api.DisplayName;
import org.junit.jupiter.api.Test;

/// The building's floors: imports go down only.
class FloorsTest {
    private static final String BASE = "dev.kintsugi.";
    private static final JavaClasses CLASSES = new ClassFileImporter()
            .withImportOption(location -> !location.contains("/test-classes/"))
            .importPackages("dev.kintsugi");

    @Test
    void importsGoDownOnly() {
        Architectures.layeredArchitecture()
                .consideringOnlyDependenciesInLayers()
                .layer("shell")
                .definedBy(BASE + "shell..")
                .layer("jobs")
                .definedBy(
                        BASE + "inspect..", BASE + "diff..", BASE + "validate..", BASE + "fusion..", BASE + "export..")
                .layer("checkpoints")
                .definedBy(BASE + "checkpoint..", BASE + "architecture..", BASE + "tokenizer..", BASE + "selector..")
                .layer("formats")
                .definedBy(BASE + "safetensors..", BASE + "torch..", BASE + "pickle..", BASE + "zip..")
                .layer("machinery")
                .definedBy(BASE + "sharding..", BASE + "io..", BASE + "work..")
                .layer("ground")
                .definedBy(BASE + "tensor..", BASE + "numeric..", BASE + "fault..")
                .whereLayer("shell")
                .mayNotBeAccessedByAnyLayer()
                .whereLayer("jobs")
                .mayOnlyBeAccessedByLayers("shell")
                .whereLayer("checkpoints")
                .mayOnlyBeAccessedByLayers("shell", "jobs")
                .whereLayer("formats")
                .mayOnlyBeAccessedByLayers("shell", "jobs", "checkpoints")
                .whereLayer("machinery")
                .mayOnlyBeAccessedByLayers("shell", "jobs", "checkpoints", "formats")
                .check(CLASSES);
    }

    @Test
    void noTwoPackagesImportEachOther() {
        slices().matching("dev.kintsugi.(**)").should().beFreeOfCycles().check(CLASSES);
    }

    @Test
    void jobsDoNotImportOneAnother() {
        List<String> jobs = List.of("inspect", "diff", "validate", "fusion", "export");
        for (String job : jobs) {
            String[] others = jobs.stream()
                    .filter(j -> !j.equals(job))
                    .map(j -> BASE + j + "..")
                    .toArray(String[]::new);
            ArchRuleDefinition.noClasses()
                    .that()
                    .resideInAPackage(BASE + job + "..")
                    .should()
                    .dependOnClassesThat()
                    .resideInAnyPackage(others)
                    .check(CLASSES);
        }
    }

    @Test
    void onlyTheShellSeesSpringAndJline() {
        ArchRuleDefinition.noClasses()
                .that()
                .resideOutsideOfPackage(BASE + "shell..")
                .should()
                .dependOnClassesThat()
                .resideInAnyPackage("org.springframework..", "org.jline..")
                .check(CLASSES);
    }

    @Test
    void onlyTheShellPrints() {
        ArchRuleDefinition.noClasses()
                .that()
                .resideOutsideOfPackage(BASE + "shell..")
                .should(GeneralCodingRules.ACCESS_STANDARD_STREAMS)
                .check(CLASSES);
    }

    /// What is printed, written and compared is the same in every language: a locale is always named.
    @Test
    @DisplayName("R-11 no text depends on the language of the machine")
    void noTextDependsOnTheMachinesLanguage() {
        ArchRuleDefinition.noClasses()
                .should()
                .callMethod(String.class, "format", String.class, Object[].class)
                .orShould()
                .callMethod(String.class, "formatted", Object[].class)
                .orShould()
                .callMethod(String.class, "toLowerCase")
                .orShould()
                .callMethod(String.class, "toUpperCase")
                .orShould()
                .callMethod(PrintWriter.class, "printf", String.class, Object[].class)
                .orShould()
                .callMethod(PrintWriter.class, "format", String.class, Object[].class)
                .orShould()
                .callMethod(Locale.class, "getDefault")
                .check(CLASSES);
    }

    @Test
    void everyPackageHasAFrontPage() throws IOException {
        try (Stream<Path> all = Files.walk(Path.of("src", "main", "java"))) {
            List<Path> without = all.filter(Files::isDirectory)
                    .filter(d -> d.toFile().list((dir, n) -> n.endsWith(".java")).length > 0)
                    .filter(d -> !Files.exists(d.resolve("package-info.java")))
                    .toList();
            assertTrue(without.isEmpty(), "no package-info.java in " + without);
        }
    }
}
