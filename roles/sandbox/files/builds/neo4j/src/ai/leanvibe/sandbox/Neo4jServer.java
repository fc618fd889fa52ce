// Copyright: (c) 2026, LeanVibe
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later
package ai.leanvibe.sandbox;

import java.nio.file.Files;
import java.nio.file.Path;
import org.neo4j.dbms.api.DatabaseManagementService;
import org.neo4j.dbms.api.DatabaseManagementServiceBuilder;

/**
 * Runs Neo4j Community as a server until SIGTERM: the server's own main class is not published as a library.
 *
 * Arguments: the home folder and the configuration file (neo4j.conf). Says "started" on standard output once connectors listen.
 */
public final class Neo4jServer {
    private Neo4jServer() {}

    public static void main(String[] arguments) throws InterruptedException {
        if (arguments.length != 2 || !Files.isRegularFile(Path.of(arguments[1]))) {
            System.err.println("usage: " + Neo4jServer.class.getName() + " HOME CONFIGURATION-FILE");
            System.exit(64);
        }
        DatabaseManagementService service =
                new DatabaseManagementServiceBuilder(Path.of(arguments[0])).loadPropertiesFromFile(Path.of(arguments[1])).build();
        Runtime.getRuntime().addShutdownHook(new Thread(service::shutdown, "shutdown"));
        System.out.println("started");
        Thread.currentThread().join();
    }
}
