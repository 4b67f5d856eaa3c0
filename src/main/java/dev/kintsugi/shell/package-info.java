/// The shell: commands, the open models, and how results look.
///
/// Start with [dev.kintsugi.shell.Main]. A line is cut into words by [dev.kintsugi.shell.Tokenizer] whether
/// it is typed, stands in a recipe or completes; [dev.kintsugi.shell.Dispatcher] binds words to a
/// [dev.kintsugi.shell.Verb] and runs it. Verbs are Spring Shell commands: thin, they call one job and render
/// its report as a [dev.kintsugi.shell.Sheet], which prints as a table, JSON or CSV. What is open is kept by a
/// [dev.kintsugi.shell.Workspace] as the commands that make it again. This room alone sees
/// Spring and JLine, and alone prints.
@NullMarked
package dev.kintsugi.shell;

import org.jspecify.annotations.NullMarked;
